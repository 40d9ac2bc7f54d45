"""Files of verdicts that go on for years: rotation, fsync, and what a power cut left of them."""

from __future__ import annotations

import errno
import json
import os
import shutil
from datetime import date
from pathlib import Path

import pytest

from runtime.errors import InputError
from runtime.files.output_folder import own_folder
from runtime.stream.sinks import JsonLinesSink, open_sink
from runtime.stream.sinks import journal as journal_module
from runtime.stream.sinks.journal import JournalFile, journal_files
from runtime.stream.sinks.journal_rules import Fsync, JournalRules, parse_journal
from runtime.stream.sinks.torn import BROKEN_OFF, repair_earlier_streams
from tests.runtime.stream.remote.receivers import verdict


def line(number: int, size: int = 0) -> bytes:
    return json.dumps({"frame": number, "pad": "x" * size}).encode() + b"\n"


def numbers(path: Path) -> list[int]:
    return [
        json.loads(text)["frame"]
        for file in journal_files(path)
        for text in file.read_text().splitlines()
    ]


@pytest.mark.parametrize("many_at_once", [1, 7, 100])
def test_no_file_is_larger_than_asked_and_no_line_is_lost(tmp_path, many_at_once):
    path = tmp_path / "v.jsonl"
    journal = JournalFile(path, JournalRules(rotate_bytes=1000))
    lines = [line(number, number % 90) for number in range(100)]
    for start in range(0, 100, many_at_once):
        batch = lines[start : start + many_at_once]
        assert journal.append(batch) == len(batch)
    journal.close()
    assert numbers(path) == list(range(100))
    assert all(file.stat().st_size <= 1000 for file in journal_files(path))
    assert len(journal_files(path)) == journal.rotated + 1 > 5


def test_a_line_longer_than_a_file_has_one_of_its_own(tmp_path):
    journal = JournalFile(tmp_path / "v.jsonl", JournalRules(rotate_bytes=100))
    assert journal.append([line(0), line(1, 300), line(2)]) == 3
    journal.close()
    assert numbers(journal.path) == [0, 1, 2]
    assert len(journal_files(journal.path)) == 3


def test_keep_removes_the_oldest_and_counts_them(tmp_path):
    (tmp_path / "v.0001.jsonl").write_text("of somebody else")
    journal = JournalFile(tmp_path / "v.jsonl", JournalRules(rotate_bytes=100, keep=2))
    for number in range(10):
        journal.append([line(number, 80)])
    journal.close()
    assert numbers(journal.path) == [7, 8, 9]
    assert (journal.rotated, journal.removed) == (9, 7)
    assert [file.name for file in journal_files(journal.path)] == [
        "v.000008.jsonl",
        "v.000009.jsonl",
        "v.jsonl",
    ]
    assert (tmp_path / "v.0001.jsonl").read_text() == "of somebody else"


def test_each_day_has_a_file_of_its_own(tmp_path):
    day = date(2026, 11, 27)
    journal = JournalFile(tmp_path / "v.jsonl", JournalRules(rotate_daily=True), today=lambda: day)
    journal.append([line(0), line(1)])
    day = date(2026, 11, 28)
    journal.append([line(2)])
    journal.append([line(3)])
    day = date(2026, 11, 27)  # a clock that was set back costs nothing
    journal.append([line(4)])
    journal.close()
    assert [file.read_text().count("\n") for file in journal_files(journal.path)] == [2, 2, 1]
    assert numbers(journal.path) == [0, 1, 2, 3, 4]


def test_the_next_stream_of_another_day_begins_a_file(tmp_path):
    rules = JournalRules(rotate_daily=True, goes_on=True)
    path = tmp_path / "v.jsonl"
    path.write_bytes(line(0))
    os.utime(path, (10**9, 10**9))
    journal = JournalFile(path, rules)
    journal.append([line(1)])
    journal.close()
    assert [file.read_bytes() for file in journal_files(path)] == [line(0), line(1)]


def test_a_rotation_that_the_disk_refuses_costs_no_line_and_comes_later(tmp_path, monkeypatch):
    monkeypatch.setattr("runtime.stream.sinks.journal.ROTATE_AGAIN_S", 0.0)
    journal = JournalFile(tmp_path / "v.jsonl", JournalRules(rotate_bytes=100))
    with monkeypatch.context() as patch:

        def refuse(path: Path, *_: object) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

        patch.setattr(Path, "rename", refuse)
        for number in range(5):
            assert journal.append([line(number, 80)]) == 1
    assert "was not rotated: Read-only file system" in journal.problem
    assert journal.rotated == 0
    journal.append([line(5)])
    journal.close()
    assert numbers(journal.path) == [0, 1, 2, 3, 4, 5]
    assert journal.rotated == 1


def test_when_lines_are_forced_to_the_disk(tmp_path, monkeypatch):
    counts = {}
    for policy in Fsync:
        calls: list[int] = []
        rules = JournalRules(fsync=policy)
        journal = JournalFile(tmp_path / f"{policy.value}.jsonl", rules, fsync=calls.append)
        for number in range(4):
            journal.append([line(number)])
        journal.close()
        counts[policy.value] = len(calls)
    assert counts == {"none": 0, "interval": 1, "every": 5}
    monkeypatch.setattr("runtime.stream.sinks.journal.SYNC_EVERY_S", 0.0)
    calls = []
    rules = JournalRules(fsync=Fsync.INTERVAL)
    journal = JournalFile(tmp_path / "i.jsonl", rules, fsync=calls.append)
    journal.append([line(0)])
    journal.sync_if_due()
    assert len(calls) == 1, "there was nothing new to sync"
    journal.close()


def test_lines_that_the_disk_did_not_keep_do_not_count_and_come_again(tmp_path):
    broken = [True]

    def fsync(file: int) -> None:
        if broken[0]:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    journal = JournalFile(tmp_path / "v.jsonl", JournalRules(fsync=Fsync.EVERY), fsync=fsync)
    assert journal.append([line(0)]) == 0
    assert journal.path.read_bytes() == b""
    assert journal.problem == "Input/output error"
    broken[0] = False
    assert journal.append([line(0)]) == 1
    journal.close()
    assert numbers(journal.path) == [0]


@pytest.mark.parametrize(
    ("torn", "told"),
    [
        (b'{"frame": 1, "la', "ended with a torn line of 16 bytes, which is now in v.jsonl.torn-"),
        (b"\0" * 30, "ended with a torn line of 30 bytes"),
        (line(1)[:-1], "lacked its end, which was added"),
    ],
)
def test_a_torn_last_line_is_mended_and_told(tmp_path, torn, told):
    path = tmp_path / "v.jsonl"
    path.write_bytes(line(0) + torn)
    notes: list[str] = []
    target = f"jsonl:{path}?rotate=64KiB"
    sink = open_sink(target, tmp_path, report=notes.append)
    sink.emit(verdict(2))
    sink.close()
    (note,) = notes
    assert told in note
    whole = torn.endswith(b"}")
    assert numbers(path) == ([0, 1, 2] if whole else [0, 2])
    kept = [file.read_bytes() for file in tmp_path.glob("*.torn-*")]
    assert kept == ([] if whole else [torn])
    open_sink(target, tmp_path, report=notes.append).close()
    assert len(notes) == 1, "a whole file is not worth a word"


@pytest.mark.parametrize("content", [b"line\n", b"GIF89a", b"x" * 2_000_000, b"[1]\n", b"\n"])
def test_a_file_of_another_kind_is_left_alone(tmp_path, content):
    path = tmp_path / "v.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not a file of verdicts"):
        open_sink(f"jsonl:{path}?rotate=day", tmp_path)
    assert path.read_bytes() == content


def test_two_streams_do_not_write_one_file(tmp_path):
    target = f"jsonl:{tmp_path / 'v.jsonl'}?rotate=64KiB"
    first = open_sink(target, tmp_path)
    with pytest.raises(InputError, match="another stream writes"):
        open_sink(target, tmp_path)
    first.close()
    open_sink(target, tmp_path).close()


def test_no_file_but_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "v.jsonl")
    with pytest.raises(InputError, match="is not a file"):
        open_sink(f"jsonl:{tmp_path / 'v.jsonl'}?rotate=64KiB", tmp_path)


def test_targets():
    assert parse_journal("a.jsonl") == ("a.jsonl", JournalRules())
    assert parse_journal("why?.jsonl") == ("why?.jsonl", JournalRules())
    name, rules = parse_journal("why?.jsonl?rotate=2GiB&keep=3&fsync=every")
    assert name == "why?.jsonl"
    assert rules == JournalRules(2 * 2**30, False, 3, Fsync.EVERY, goes_on=True)
    assert parse_journal("a?fsync=interval")[1] == JournalRules(fsync=Fsync.INTERVAL)


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("a?rotate=", "is no option of its file"),
        ("a?rotate=1", "neither a size nor day"),
        ("a?rotate=-1MiB", "neither a size nor day"),
        ("a?rotate=1KiB", "too small"),
        ("a?rotate=1MiB&rotate=day", "each of which stands once"),
        ("a?keep=3", "not rotated"),
        ("a?rotate=day&keep=0", "is not a number of files"),
        ("a?rotate=day&keep=ten", "is not a number of files"),
        ("a?fsync=always", "is no way to write"),
        ("a?size=3MiB", "is no option of its file"),
        ("?rotate=day", "has no target"),
    ],
)
def test_options_that_are_none(tmp_path, target, problem):
    with pytest.raises(InputError, match=problem):
        open_sink(f"jsonl:{target}", tmp_path)


def test_a_stream_that_was_broken_off_is_mended_and_told_once(tmp_path):
    for name in ("1", "2", "3", "4", "5"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "verdicts.jsonl").write_bytes(line(0) + line(1) + b'{"fr')
    (tmp_path / "1" / "summary.json").touch()
    (tmp_path / "4" / "left").mkdir()
    (tmp_path / "4" / "verdicts.jsonl").rename(tmp_path / "4" / "left" / "verdicts.jsonl")
    notes: list[str] = []
    with own_folder(tmp_path / "3"):  # a stream that runs
        repair_earlier_streams(tmp_path, tmp_path / "5", notes.append)
        repair_earlier_streams(tmp_path, tmp_path / "5", notes.append)
    assert len(notes) == 2
    assert "2 was broken off after frame 1; " in notes[0]
    assert "verdicts.jsonl ended with a torn line of 4 bytes" in notes[0]
    assert (tmp_path / "2" / BROKEN_OFF).read_text() in f"{notes[0]}\n"
    assert "left/verdicts.jsonl ended with a torn line" in notes[1]
    for name, whole in (("1", False), ("2", True), ("3", False), ("5", False)):
        assert (tmp_path / name / "verdicts.jsonl").read_bytes().endswith(b"\n") == whole


def test_a_sink_counts_lines_of_all_files(tmp_path):
    sink = open_sink(f"jsonl:{tmp_path / 'v.jsonl'}?rotate=64KiB&keep=1&fsync=every", tmp_path)
    for number in range(3000):
        sink.emit(verdict(number))
    sink.close()
    assert (sink.lost, sink.problem) == (0, "")
    assert numbers(tmp_path / "v.jsonl")[-1] == 2999


@pytest.mark.parametrize("how", ["removed", "moved", "folder", "occupied"])
def test_a_file_that_somebody_takes_away_is_told_and_begun_anew(tmp_path, monkeypatch, how):
    monkeypatch.setattr(journal_module, "LOOK_EVERY_S", 0.0)
    path = tmp_path / "stream" / "v.jsonl"
    journal = JournalFile(path, JournalRules())
    journal.append([line(0), line(1)])
    if how == "folder":
        shutil.rmtree(path.parent)
    elif how == "moved":
        path.rename(tmp_path / "elsewhere")
    else:
        path.unlink()
    if how == "occupied":
        path.write_text('{"frame": 99}\n')
    journal.append([line(2)])
    assert journal.displaced == 3  # the look comes after the line
    assert "removed or moved" in journal.problem or how == "occupied"
    journal.append([line(3)])
    journal.close()
    assert numbers(path) == ([99] if how == "occupied" else [3])
    assert journal.displaced == (4 if how == "occupied" else 3)


def test_verdicts_of_a_file_that_was_removed_count_as_lost(tmp_path):
    sink = JsonLinesSink(tmp_path / "v.jsonl")
    sink.emit(verdict(0))
    (tmp_path / "v.jsonl").unlink()
    sink.close()
    assert (sink.written, sink.lost) == (0, 1)
    assert "removed or moved" in sink.problem
