"""The queue of verdicts on disk: order, limits, kills, damage."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from datetime import datetime

import pytest

from runtime.errors import InputError
from runtime.stream.sinks.remote.spool import MIB, Spool, SpoolLimit


def ids(spool: Spool) -> list[str]:
    return [record.id for record in spool.peek(100_000)]


def fill(spool: Spool, first: int, last: int) -> None:
    for number in range(first, last):
        spool.append([(f"run/{number}", b"body %d" % number)])


def named(first: int, last: int) -> list[str]:
    return [f"run/{number}" for number in range(first, last)]


def test_what_is_not_acknowledged_waits_for_the_next_start_in_order(tmp_path):
    spool = Spool(tmp_path / "new" / "s.sqlite")
    assert (spool.found, spool.waiting) == (0, 0)
    fill(spool, 0, 10)
    first = spool.peek(3)
    assert [record.body for record in first] == [b"body 0", b"body 1", b"body 2"]
    spool.acknowledge(first)
    spool.acknowledge(first)
    assert spool.waiting == 7
    spool.close()
    spool.close()
    spool = Spool(tmp_path / "new" / "s.sqlite")
    assert (spool.found, spool.waiting, spool.dropped) == (7, 7, 0)
    fill(spool, 10, 12)
    assert ids(spool) == named(3, 12)
    spool.close()


@pytest.mark.parametrize(("limit", "kept"), [(SpoolLimit(5, None), 5), (SpoolLimit(None, 70), 5)])
def test_beyond_its_limit_the_oldest_are_dropped_and_counted(tmp_path, limit, kept):
    spool = Spool(tmp_path / "s.sqlite", limit)
    spool.append([(f"run/{number:03}", b"seven b") for number in range(3)])  # 14 bytes each
    spool.append([(f"run/{number:03}", b"seven b") for number in range(3, 300)])
    assert ids(spool) == [f"run/{number:03}" for number in range(300 - kept, 300)]
    assert (spool.waiting, spool.dropped) == (kept, 300 - kept)
    spool.acknowledge(spool.peek(2))
    spool.append([("run/300", b"seven b")])
    assert (spool.waiting, spool.dropped) == (kept - 1, 300 - kept)
    spool.close()


def test_the_forms_of_a_limit():
    assert SpoolLimit.parse("2000") == SpoolLimit(2000, None)
    assert SpoolLimit.parse("64MiB") == SpoolLimit(None, 64 * MIB)
    for text in ("", "0", "-1", "64MB", "64 MiB", "1e3", "9" * 30):
        with pytest.raises(InputError, match="is no limit of a spool"):
            SpoolLimit.parse(text)


APPENDER = """
import sys
from pathlib import Path
from runtime.stream.sinks.remote.spool import Spool
spool = Spool(Path(sys.argv[1]))
number = spool.found
while True:
    spool.append([(f"run/{number}", b"x" * (number % 997))])
    if number % 7 == 6:
        spool.append([(f"run/{number + 1}", b"y"), (f"run/{number + 2}", b"z")])
        number += 2
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
    number += 1
"""


def test_a_killed_process_leaves_every_verdict_that_was_taken_whole_and_in_order(tmp_path):
    path = tmp_path / "s.sqlite"
    told = -1
    for seed in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", APPENDER, str(path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for _ in range(random.Random(seed).randrange(5, 60)):
                told = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
        spool = Spool(path)
        assert spool.found > told
        assert ids(spool) == named(0, spool.found)
        bodies = [len(record.body) for record in spool.peek(100_000)]
        assert all(length in (number % 997, 1) for number, length in enumerate(bodies)), (
            "a body is torn"
        )
        spool.close()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"no database, but something else" * 100,
        lambda data: data[:100] + os.urandom(len(data) - 100),
        lambda data: data[: len(data) // 2],
    ],
    ids=["foreign", "overwritten", "truncated"],
)
def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(tmp_path, spoil):
    path = tmp_path / "s.sqlite"
    spool = Spool(path)
    spool.append([(f"run/{number}", bytes(2000)) for number in range(20)])
    spool.close()
    spoilt = spoil(path.read_bytes())
    path.write_bytes(spoilt)
    said: list[str] = []
    spool = Spool(path, report=said.append, now=lambda: datetime(2026, 11, 27, 12, 0, 0))
    assert (spool.found, spool.dropped) == (0, 0)
    fill(spool, 0, 3)
    assert ids(spool) == named(0, 3)
    spool.close()
    aside = tmp_path / "s.sqlite.damaged-20261127-120000"
    assert aside.read_bytes() == spoilt
    (line,) = said
    assert "was damaged" in line
    assert aside.name in line
    path.write_bytes(spoilt)
    Spool(path, now=lambda: datetime(2026, 11, 27, 12, 0, 0)).close()
    assert aside.with_name(f"{aside.name}-2").exists()


def test_a_database_of_somebody_else_is_moved_aside_too(tmp_path):
    with sqlite3.connect(tmp_path / "s.sqlite") as other:
        other.execute("CREATE TABLE parts (name TEXT)")
    other.close()
    said: list[str] = []
    Spool(tmp_path / "s.sqlite", report=said.append).close()
    assert "it is no spool" in said[0]


def test_damage_in_service_costs_what_waited_and_is_counted(tmp_path, monkeypatch):
    said: list[str] = []
    spool = Spool(tmp_path / "s.sqlite", report=said.append)
    fill(spool, 0, 5)
    work, broken = spool._append, [True]

    def append(verdicts):
        if broken.pop() if broken else False:
            raise sqlite3.DatabaseError("database disk image is malformed")
        work(verdicts)

    monkeypatch.setattr(spool, "_append", append)
    before = spool.peek(2)
    fill(spool, 5, 7)
    spool.acknowledge(before)  # of the old file: the numbers are given again
    assert (ids(spool), spool.dropped) == (named(5, 7), 5)
    assert "malformed" in said[0]
    spool.close()


def test_two_streams_cannot_have_one_spool(tmp_path):
    spool = Spool(tmp_path / "s.sqlite")
    with pytest.raises(InputError, match="in use by another stream; give each"):
        Spool(tmp_path / "s.sqlite")
    spool.close()
    Spool(tmp_path / "s.sqlite").close()


def test_a_spool_of_a_newer_edgecl_is_left_alone(tmp_path):
    Spool(tmp_path / "s.sqlite").close()
    with sqlite3.connect(tmp_path / "s.sqlite") as database:
        database.execute("PRAGMA user_version = 2")
    database.close()
    with pytest.raises(InputError, match=r"has version 2.*update edgecl"):
        Spool(tmp_path / "s.sqlite")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file is not a folder"):
        Spool(tmp_path / "file" / "s.sqlite")
    (tmp_path / "s.sqlite").mkdir()
    with pytest.raises(InputError, match=r"cannot write the spool.*choose a writable folder"):
        Spool(tmp_path / "s.sqlite")
