"""Viewers of the live page: what they are told, when, and that nobody is asked for nobody."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.serving import server as pages
from runtime.serving.opening import open_pages
from runtime.stream.sinks.accounts import SinkAccount
from tests.runtime.serving.lines import FakeLine, ServedLine, camera_state, next_event, seen, served
from tests.waiting import wait_until


def test_the_line_is_asked_only_while_somebody_looks():
    with served() as line:
        assert line.get("/live/")[0] == 200
        time.sleep(0.2)
        assert line.line.asked == 0
        with line.events() as events:
            next_event(events)
            next_event(events)
        until = time.monotonic() + 60
        asked = -1
        while asked != line.line.asked:
            assert time.monotonic() < until
            asked = line.line.asked
            time.sleep(1.0)
        assert asked >= 2


def test_an_event_has_the_whole_state_and_images_are_there_when_it_comes():
    sinks = (SinkAccount(name="mqtt broker", lost=1, waiting=7, problem="it is gone"),)
    with served(FakeLine(sinks=sinks)) as line, line.events() as events:
        assert events.getheader("content-type", "").startswith("text/event-stream")
        state = json.loads(next_event(events))
        assert state["lot"] == "4711"
        assert state["sinks"][0]["waiting"] == 7
        (camera,) = state["cameras"]
        assert camera["statuses"]["reject"] == 8
        assert camera["newest"]["image"]
        for kind in ("image", "thumbnail"):
            status, headers, data = line.get(f"/live/0/{kind}/{camera['newest']['frame']}.jpg")
            assert (status, headers["content-type"]) == (200, "image/jpeg")
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
            assert image is not None
            assert image.shape == (40, 60)


def test_a_heat_map_is_read_from_its_file_and_may_be_gone(tmp_path):
    path = tmp_path / "00000097.jpg"
    path.write_bytes(b"jpeg")
    line = FakeLine(heat_maps={"": {97: str(path), 98: str(tmp_path / "gone.jpg")}})
    with served(line) as running, running.events() as events:
        next_event(events)
        assert running.get("/live/0/map/97.jpg")[2] == b"jpeg"
        assert running.get("/live/0/map/98.jpg")[0] == 404
        assert running.get("/live/0/map/99.jpg")[0] == 404


def test_several_cameras_have_images_of_their_own():
    cameras = (
        camera_state("left"),
        camera_state("right", newest=seen(5), noticed=None, rejects=()),
    )
    with served(FakeLine(cameras)) as line, line.events() as events:
        assert [c["name"] for c in json.loads(next_event(events))["cameras"]] == ["left", "right"]
        assert line.get("/live/1/image/5.jpg")[0] == 200
        assert line.get("/live/0/image/5.jpg")[0] == 404
        assert line.get("/live/2/image/5.jpg")[0] == 404


def test_viewers_are_told_that_the_stream_has_ended():
    with served() as line, line.events() as events:
        next_event(events)
        line.end()
        assert next_event(events, "end") == b"{}\n"
        assert events.read() == b"\n"


@pytest.fixture
def ends_in_its_own_time(monkeypatch):
    """It has idle time alone, of which a busy machine has little."""
    monkeypatch.setattr(pages, "CLOSE_S", 120.0)


def serve_for_real(line: FakeLine, said: list[str]) -> tuple[pages.PageServer, ServedLine]:
    opened = open_pages("127.0.0.1:0", said.append)
    opened.server.start(line.answer)
    port = int(opened.url.rstrip("/").rpartition(":")[2])
    return opened.server, ServedLine(port, line, None, None)  # type: ignore[arg-type]


@pytest.mark.usefixtures("ends_in_its_own_time")
def test_the_process_serves_and_is_started_again_when_it_is_killed():
    said: list[str] = []
    server, line = serve_for_real(FakeLine(), said)
    try:
        with line.events() as events:
            assert json.loads(next_event(events))["title"] == "tiny.edgecl"
        assert server._process is not None
        first = server._process.pid
        server._process.kill()
        # Connections wait in the socket, which the other process holds.
        with line.events() as events:
            next_event(events)
        assert server._process.pid != first
        wait_until(lambda: said == ["the page's process has ended; it is started again"])
    finally:
        server.close()
    assert server._process.returncode == 0
    server.close()


def test_a_stream_that_cannot_answer_costs_the_page_alone():
    line = FakeLine(broken=True)
    said: list[str] = []
    server, running = serve_for_real(line, said)
    try:
        with running.events() as events:
            assert events.read() == b"retry: 2000\n\nevent: end\ndata: {}\n\n"
        line.broken = False
        # As a browser does: the process that ends may take one more connection.
        for _ in range(100):
            with contextlib.suppress(ConnectionError), running.events() as events:
                if b"event: state" in events.readline() + events.readline() + events.readline():
                    break
        assert said == ["the page's process has ended; it is started again"]
    finally:
        server.close()


@pytest.mark.usefixtures("ends_in_its_own_time")
def test_ending_leaves_no_process_and_no_thread():
    server, running = serve_for_real(FakeLine(), [])
    assert server._process is not None
    with running.events() as events:
        next_event(events)
        server.close()
    assert server._process.poll() == 0
    assert not server._thread.is_alive()
    with pytest.raises(ConnectionRefusedError):
        running.get("/live/")


@pytest.mark.usefixtures("ends_in_its_own_time")
def test_the_end_waits_for_viewers_alone(monkeypatch):
    monkeypatch.setattr(pages, "FINAL_S", 120.0)
    line = FakeLine()
    server, running = serve_for_real(line, [])
    try:
        with running.events() as events:
            next_event(events)
        wait_until(lambda: not server._looked_at)  # who left is not waited for
    finally:
        server.close()
    asked = line.asked
    server, running = serve_for_real(line, [])
    with running.events() as events:
        next_event(events)
        before = line.asked
        server.close()
        assert line.asked > before > asked
        assert events.read().endswith(b"event: end\ndata: {}\n\n")


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="no such class of scheduling here")
def test_the_process_has_idle_time_alone_when_it_serves():
    server, running = serve_for_real(FakeLine(), [])
    try:
        assert running.get("/live/")[0] == 200
        assert server._process is not None
        tasks = [int(task.name) for task in Path(f"/proc/{server._process.pid}/task").iterdir()]
        classes = {os.sched_getscheduler(task) for task in tasks}
        group, session = os.getpgid(server._process.pid), os.getsid(server._process.pid)
    finally:
        server.close()
    assert classes == {os.SCHED_IDLE}
    assert group == server._process.pid, "Ctrl-C is not for it"
    assert session == os.getsid(0), "priorities count within a session"
