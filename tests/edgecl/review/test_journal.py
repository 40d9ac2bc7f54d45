"""The journal of decisions: nothing that was acknowledged is lost, whatever happens."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgecl.review.decisions.journal import JOURNAL, ReviewJournal, read_journal
from edgecl.review.decisions.standing import DecisionLine
from runtime.errors import EquipmentError, InputError

IMAGE = "a" * 64


def line(number: int = 0, label: str = "dent", **changes) -> DecisionLine:
    values = {
        "id": f"decision-{number}",
        "at": f"2026-11-27T10:00:{number:02d}.000Z",
        "reviewer": "Anna",
        "image": IMAGE,
        "file": "a.png",
        "choice": "label",
        "label": label,
        **changes,
    }
    return DecisionLine(**values)


def written(folder: Path, *lines: DecisionLine) -> Path:
    journal = ReviewJournal(folder)
    for entry in lines:
        journal.add(entry)
    journal.close()
    return folder / JOURNAL


def test_what_was_added_is_read_back(tmp_path):
    written(tmp_path, line(0, "dent"), line(1, "scratch"))
    assert read_journal(tmp_path).of(IMAGE) == {"Anna": "scratch"}


def test_a_line_that_is_sent_twice_counts_once(tmp_path):
    path = written(tmp_path, line(0), line(0))
    assert path.read_bytes().count(b"\n") == 1


@pytest.mark.parametrize("kept", [1, 20, -1])
def test_a_last_line_that_is_not_whole_was_never_acknowledged(tmp_path, kept):
    path = written(tmp_path, line(0, "dent"), line(1, "scratch"))
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second[:kept])
    assert read_journal(tmp_path).of(IMAGE) == {"Anna": "dent"}
    journal = ReviewJournal(tmp_path)
    assert journal.cut == len(second[:kept])
    journal.add(line(2, "crack"))
    journal.close()
    assert read_journal(tmp_path).of(IMAGE) == {"Anna": "crack"}


@pytest.mark.parametrize("damage", [b"{}\n", b"nonsense\n", b"[1]\n", b"\xff\xfe\n", b"\0\n"])
def test_a_damaged_line_is_named_and_nothing_is_changed(tmp_path, damage):
    path = written(tmp_path, line(0))
    path.write_bytes(damage + path.read_bytes())
    before = path.read_bytes()
    with pytest.raises(InputError, match="line 1"):
        ReviewJournal(tmp_path)
    with pytest.raises(InputError, match="line 1"):
        read_journal(tmp_path)
    assert path.read_bytes() == before


def test_a_journal_of_a_newer_version_is_refused(tmp_path):
    path = written(tmp_path, line(0))
    path.write_text(path.read_text().replace('"schema":1', '"schema":2'))
    with pytest.raises(InputError, match="schema 2"):
        ReviewJournal(tmp_path)


def test_two_processes_cannot_hold_it(tmp_path):
    journal = ReviewJournal(tmp_path)
    with pytest.raises(InputError, match="another process reviews"):
        ReviewJournal(tmp_path)
    journal.close()
    ReviewJournal(tmp_path).close()


@pytest.mark.parametrize("fails", ["pwrite", "fsync"])
def test_a_full_disk_keeps_nothing_of_a_line_and_says_so(tmp_path, monkeypatch, fails):
    journal = ReviewJournal(tmp_path)
    journal.add(line(0, "dent"))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, fails, full)
        with pytest.raises(EquipmentError, match="is full"):
            journal.add(line(1, "scratch"))
    assert journal.standing.of(IMAGE) == {"Anna": "dent"}
    journal.add(line(1, "scratch"))
    journal.close()
    assert (tmp_path / JOURNAL).read_bytes().count(b"\n") == 2
    assert read_journal(tmp_path).of(IMAGE) == {"Anna": "scratch"}


def test_a_process_that_is_killed_loses_nothing_that_it_acknowledged(tmp_path):
    """It writes as fast as it can, and says each line's number once the line is kept."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.edgecl.review.test_journal import line\n"
        "from edgecl.review.decisions.journal import ReviewJournal\n"
        "journal = ReviewJournal(Path(sys.argv[1]))\n"
        "for number in range(100000):\n"
        "    journal.add(line(number, id=f'decision-{number}', image=f'{number:064x}', at=''))\n"
        "    print(number, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(50):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split("\n")[:-1]
    process.wait()
    acknowledged = 50 + len(rest)
    standing = read_journal(tmp_path)
    assert all(standing.of(f"{number:064x}") for number in range(acknowledged))
    journal = ReviewJournal(tmp_path)
    journal.add(line(99, "crack", id="after"))
    journal.close()
    values = [json.loads(text) for text in (tmp_path / JOURNAL).read_text().splitlines()]
    assert values[-1]["id"] == "after"
