"""What systemd and its journal are told."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.standard_streams import SteadyOutput, SteadyText
from runtime.systemd import Notifier, PriorityPrefix, is_journal, priority_of


@pytest.fixture(params=["file", "abstract"])
def heard(request, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket of the test's own, and its name as systemd gives it."""
    name = f"@edgecl-test-{secrets.token_hex(8)}" if request.param == "abstract" else ""
    name = name or str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind("\0" + name[1:] if name.startswith("@") else name)
        server.settimeout(10)
        yield server, name


def test_what_is_said(heard):
    server, name = heard
    notifier = Notifier({"NOTIFY_SOCKET": name})
    assert notifier.is_there
    assert notifier.watchdog_s is None
    notifier.ready()
    notifier.alive()
    notifier.status("12 frames\nall pass")
    notifier.status("12 frames all pass")
    notifier.extend(1.5)
    notifier.stopping()
    said = [server.recv(1000).decode() for _ in range(5)]
    assert said == [
        "READY=1",
        "WATCHDOG=1",
        "STATUS=12 frames all pass",
        "EXTEND_TIMEOUT_USEC=1500000",
        "STOPPING=1",
    ]
    notifier.reloading()
    reloading, moment = server.recv(1000).decode().split("\n")
    assert reloading == "RELOADING=1"
    assert int(moment.removeprefix("MONOTONIC_USEC=")) > 0


@pytest.mark.parametrize("name", ["/nowhere/at/all", "@nobody-listens", "@", "x" * 200, "a\0b"])
def test_nobody_who_hears_it_costs_nothing(name):
    notifier = Notifier({"NOTIFY_SOCKET": name})
    notifier.ready()
    notifier.alive()


def test_a_reader_that_does_not_read_costs_a_moment_alone(heard, monkeypatch):
    monkeypatch.setattr("runtime.systemd.PATIENCE_S", 0.001)
    notifier = Notifier({"NOTIFY_SOCKET": heard[1]})
    for _ in range(400):  # more than the socket keeps
        notifier.alive()


def test_without_a_supervisor():
    notifier = Notifier({"WATCHDOG_USEC": "1000000"})
    assert not notifier.is_there
    assert notifier.watchdog_s is None
    notifier.ready()


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdogs_period(environment, seconds):
    assert Notifier({"NOTIFY_SOCKET": "/x", **environment}).watchdog_s == seconds


@pytest.mark.parametrize(
    ("line", "priority"),
    [
        ("edgecl: camera 0 is gone; check its cable [camera-lost]", 3),
        ("edgecl: interrupted", 6),
        ("note: --on-late pass lets parts go", 4),
        ("left: video device 0 stopped after frame 9 (x); opening it again", 4),
        ("video device 0 is back after 1.0 s without frames", 6),
        ("line.edgecl: int8 in openvino", 6),
    ],
)
def test_priorities(line, priority):
    assert priority_of(line) == priority


def test_lines_that_come_in_pieces_have_one_prefix_each():
    prefix = PriorityPrefix()
    pieces = ["edgecl: no ", "camera", "\n", "one\ntwo\n\n", "<4>its own\n"]
    said = "".join(map(prefix.apply, pieces))
    assert said == "<3>edgecl: no camera\n<6>one\n<6>two\n\n<4>its own\n"


def test_the_journal_is_told_from_another_file(tmp_path):
    with (tmp_path / "journal").open("w") as file:
        state = os.fstat(file.fileno())
        mine = {"JOURNAL_STREAM": f"{state.st_dev}:{state.st_ino}"}
        assert is_journal(file.fileno(), mine)
        assert not is_journal(file.fileno(), {"JOURNAL_STREAM": "8:1"})
        assert not is_journal(file.fileno(), {})
    assert not is_journal(10**6, mine)


def test_standard_error_to_the_journal_has_priorities_and_no_passwords(tmp_path):
    import io

    path = tmp_path / "journal"
    with path.open("wb") as file:
        output = SteadyOutput(file.fileno(), "<stderr>", patience_s=0.1, lasting=False)
        text = SteadyText(io.BufferedWriter(output), encoding="utf-8", line_buffering=True)
        text.prefix = PriorityPrefix()
        print("note: rtsp://admin:secret@camera/1 is away", file=text)
        text.flush()
    assert path.read_text() == "<4>note: rtsp://admin:***@camera/1 is away\n"
