"""Verdicts on a disk that may be full."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path

import pytest

from runtime.errors import InputError
from runtime.stream.sinks import JsonLinesSink
from runtime.stream.verdict import Decision, Status, Verdict

PATIENCE = 20.0


def verdict(number: int) -> Verdict:
    return Verdict(number, 0, 0, Decision(Status.PASS, "good", 0.9), {"total": 1})


def numbers(path: Path) -> list[int]:
    return [json.loads(line)["frame"] for line in path.read_text().splitlines()]


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch):
    monkeypatch.setattr("runtime.stream.sinks.json_lines.PERIOD_S", 0.001)
    monkeypatch.setattr("runtime.stream.sinks.json_lines.RETRY_S", 0.001)


class Disk:
    """A disk that is full while `full` is set; then it takes `room` bytes of a write at most."""

    def __init__(self, *, room: int = 0) -> None:
        self.full = threading.Event()
        self.refused = threading.Event()
        self.room = room

    def write(self, file: int, data: bytes) -> int:
        if not self.full.is_set():
            return os.write(file, data)
        if self.room:
            room, self.room = self.room, 0
            return os.write(file, data[:room])
        self.refused.set()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_line_per_verdict(tmp_path):
    sink = JsonLinesSink(tmp_path / "new" / "verdicts.jsonl")
    for number in range(2000):
        sink.emit(verdict(number))
    sink.close()
    sink.close()
    assert numbers(sink.path) == list(range(2000))
    assert (sink.written, sink.lost, sink.problem) == (2000, 0, "")


def test_a_disk_that_was_full_gets_the_lines_later(tmp_path):
    disk = Disk()
    disk.full.set()
    sink = JsonLinesSink(tmp_path / "v.jsonl", write=disk.write)
    for number in range(10):
        sink.emit(verdict(number))
    assert disk.refused.wait(PATIENCE)
    disk.full.clear()
    sink.close()
    assert numbers(sink.path) == list(range(10))
    assert (sink.written, sink.lost) == (10, 0)
    assert sink.problem == "No space left on device"


def test_a_disk_that_stays_full_loses_lines_and_counts_them(tmp_path):
    disk = Disk()
    disk.full.set()
    sink = JsonLinesSink(tmp_path / "v.jsonl", capacity=20, write=disk.write)
    for number in range(50):
        sink.emit(verdict(number))
    assert disk.refused.wait(PATIENCE)
    sink.close()
    assert sink.path.read_bytes() == b""
    assert (sink.written, sink.lost) == (0, 50)


def test_the_newest_lines_are_the_ones_kept(tmp_path):
    disk = Disk()
    disk.full.set()
    sink = JsonLinesSink(tmp_path / "v.jsonl", capacity=20, write=disk.write)
    for number in range(50):
        sink.emit(verdict(number))
    assert disk.refused.wait(PATIENCE)
    disk.full.clear()
    sink.close()
    assert numbers(sink.path) == list(range(30, 50))
    assert (sink.written, sink.lost) == (20, 30)


def test_a_disk_that_fills_up_within_a_line_leaves_whole_lines(tmp_path):
    disk = Disk(room=33)
    sink = JsonLinesSink(tmp_path / "v.jsonl", write=disk.write)
    disk.full.set()
    sink.emit(verdict(0))
    assert disk.refused.wait(PATIENCE)
    sink.close()
    assert sink.path.read_bytes() == b""
    assert (sink.written, sink.lost) == (0, 1)


def test_an_earlier_stream_is_not_overwritten(tmp_path):
    (tmp_path / "v.jsonl").write_text("precious\n")
    with pytest.raises(InputError, match="already exists"):
        JsonLinesSink(tmp_path / "v.jsonl")
    assert (tmp_path / "v.jsonl").read_text() == "precious\n"


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"):
        JsonLinesSink(tmp_path / "file" / "v.jsonl")
