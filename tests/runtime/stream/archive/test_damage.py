"""Archives that are damaged, removed, locked, or on a full disk."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runtime.stream.sinks.base import StreamFacts
from runtime.stream.sinks.sqlite import SqliteSink
from tests.runtime.stream.archive.archives import archive, rows, verdict
from tests.small_disks import mounted_disk
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name in ("PERIOD_S", "RETRY_S"):
        monkeypatch.setattr(f"runtime.stream.sinks.sqlite.{name}", 0.001)
    monkeypatch.setattr("runtime.stream.archive.writer.WAIT_S", 0.01)


def moved(folder: Path) -> list[Path]:
    return sorted(folder.glob("a.sqlite.damaged-*"))


def broken_off(path: Path) -> None:
    """Make the last run look as if its process had been killed."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE runs SET outcome = 'running'")
        connection.commit()


def garble(path: Path, place: int, data: bytes) -> None:
    with open(path, "r+b") as stream:
        stream.seek(place)
        stream.write(data)


def test_a_run_that_was_broken_off_is_told_once(tmp_path):
    path = tmp_path / "a.sqlite"
    archive(path)
    broken_off(path)
    notes: list[str] = []
    for _ in range(2):
        SqliteSink(path, StreamFacts(), report=notes.append).close()
    (note,) = notes
    assert "was broken off; its 3 archived verdicts are whole" in note
    outcomes = rows(path, "SELECT outcome FROM runs")
    assert outcomes == ["broken-off", "ended", "ended"]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: garble(path, 0, bytes(100)), id="zeroed head"),
        pytest.param(lambda path: garble(path, 0, b"x" * 5000), id="another head"),
        pytest.param(lambda path: garble(path, 4096 * 3, os.urandom(4096)), id="a page of noise"),
        pytest.param(lambda path: garble(path, 100, os.urandom(3000)), id="noise for tables"),
        pytest.param(lambda path: os.truncate(path, 6000), id="cut short"),
        pytest.param(lambda path: os.truncate(path, 40), id="cut in its head"),
    ],
)
def test_a_damaged_archive_is_moved_aside_and_a_new_one_begun(tmp_path, damage):
    path = tmp_path / "a.sqlite"
    archive(path, range(400))
    broken_off(path)
    damage(path)
    data = path.read_bytes()
    notes: list[str] = []
    sink = SqliteSink(path, StreamFacts(), report=notes.append)
    (note,) = notes
    (aside,) = moved(tmp_path)
    assert f"{path} was damaged" in note
    assert str(aside) in note
    assert aside.read_bytes() == data
    sink.emit(verdict(7))
    sink.close()
    assert (rows(path), sink.lost) == ([7], 0)


def test_two_damaged_archives_of_one_second_are_both_kept(tmp_path):
    path = tmp_path / "a.sqlite"
    for _ in range(2):
        archive(path)
        garble(path, 0, bytes(100))
        SqliteSink(path, StreamFacts()).close()
    assert len(moved(tmp_path)) == 2


def test_damage_in_service_loses_no_row_of_the_run_that_still_waits(tmp_path):
    path = tmp_path / "a.sqlite"
    archive(path, range(2000))
    garble(path, 4096 * 3, os.urandom(4096 * 20))  # the rows, and not the runs
    notes: list[str] = []
    sink = SqliteSink(path, StreamFacts(), report=notes.append)
    for number in range(300):
        sink.emit(verdict(number))
    wait_until(lambda: bool(sink.written))
    sink.close()
    (aside,) = moved(tmp_path)
    assert (rows(path), sink.written, sink.lost) == (list(range(300)), 300, 0)
    (note,) = notes
    assert str(aside) in note
    assert sink.problem


def test_an_archive_that_is_removed_in_service_is_begun_anew(tmp_path):
    path = tmp_path / "a.sqlite"
    notes: list[str] = []
    sink = SqliteSink(path, StreamFacts(), report=notes.append)
    sink.emit(verdict(0))
    wait_until(lambda: sink.written == 1)
    path.unlink()
    sink.emit(verdict(1))
    sink.close()
    assert rows(path) == [1]
    assert "was removed or replaced" in notes[0]


def test_a_lock_in_service_is_waited_for(tmp_path):
    path = tmp_path / "a.sqlite"
    sink = SqliteSink(path, StreamFacts(), capacity=20)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for number in range(50):
            sink.emit(verdict(number))
        wait_until(lambda: bool(sink.problem))
        other.execute("ROLLBACK")
    sink.close()
    # A batch that was under way may have had older ones.
    assert sink.problem == "database is locked"
    assert rows(path)[-20:] == list(range(30, 50))
    assert sink.written == len(rows(path)) == 50 - sink.lost


class Disk:
    """A disk that has room for no more pages than `pages`."""

    def __init__(self) -> None:
        self.connections: list[sqlite3.Connection] = []

    def connect(self, *arguments, **options) -> sqlite3.Connection:
        self.connections.append(sqlite3.connect(*arguments, **options))
        return self.connections[-1]

    def allow(self, pages: int) -> None:
        self.connections[-1].execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_loses_rows_with_a_count_and_goes_on_when_there_is_room(tmp_path):
    path, disk = tmp_path / "a.sqlite", Disk()
    sink = SqliteSink(path, StreamFacts(), capacity=500, connect=disk.connect)
    disk.allow(1)  # what it has by now is what it may have
    number = 0
    while not sink.lost:
        sink.emit(verdict(number))
        number += 1
        if number % 500 == 0:
            time.sleep(0.01)
    wait_until(lambda: "full" in sink.problem)
    disk.allow(100_000)
    sink.close()
    found = rows(path)
    assert sink.problem == "database or disk is full"
    assert sink.written == len(found) == number - sink.lost
    assert found[-1] == number - 1, "the newest are kept"
    assert rows(path, "SELECT written, lost FROM runs") == [(sink.written, sink.lost)]


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    with mounted_disk(tmp_path / "disk", "400k") as disk:
        yield disk


@pytest.mark.parametrize("there", [True, False])
def test_a_disk_that_is_full_at_the_start_is_tried_again(tmp_path, small_disk, there):
    path = small_disk / "a.sqlite"
    if there:
        archive(tmp_path / "a.sqlite")
        broken_off(tmp_path / "a.sqlite")
        shutil.copy(tmp_path / "a.sqlite", path)
    with open(small_disk / "ballast", "wb", buffering=0) as ballast:
        try:
            while ballast.write(bytes(4096)):
                pass
        except OSError:
            pass
    notes: list[str] = []
    sink = SqliteSink(path, StreamFacts(), report=notes.append)
    sink.emit(verdict(7))
    (note,) = notes
    assert "cannot be written yet" in note
    (small_disk / "ballast").unlink()
    wait_until(lambda: bool(sink.written))
    sink.close()
    assert rows(path) == ([0, 1, 2, 7] if there else [7])
    assert sink.lost == 0
    assert len(notes) == (2 if there else 1), "each is said once, however often it is tried"
