"""A served line whose state and images the test gives, and what hostile clients send it."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("starlette", reason="needs pip install 'edgecl[serve]'")
pytest.importorskip("uvicorn", reason="needs pip install 'edgecl[serve]'")

from runtime.serving import process
from runtime.serving.address import ServeAddress, listen
from runtime.serving.live.part import LivePart
from runtime.serving.live.state import Ask, CameraState, LineState, Seen, Sent, StepState, Told
from runtime.serving.messages import LinkClosedError, Served, ServingSetup, receive, send
from runtime.stream.sinks.accounts import SinkAccount, VerdictFile

TOKEN = "0123456789abcdef"


def seen(frame: int, status: str = "pass", **changes) -> Seen:
    values = {
        "frame": frame,
        "status": status,
        "captured_at": "2026-11-27T12:00:00.000000Z",
        "age_s": 0.1,
        "label": "scratch" if status == "reject" else "clean",
        "confidence": 0.91,
        "reason": "",
        "distance": 0.4,
        "late": False,
        "answer": None,
        "total_ms": 6.1,
        "size": (60, 40),
        **changes,
    }
    return Seen(**values)


def camera_state(name: str = "", **changes) -> CameraState:
    statuses = {"pass": 90, "reject": 8, "unsure": 1, "unknown": 1, "late": 0, "fault": 0}
    step = StepState(
        step="total", last_ms=6.0, p50_ms=6.0, p99_ms=9.0, max_ms=12.0, limit_ms=20.0, over=0
    )
    values = {
        "name": name,
        "source": "demo line",
        "state": "running",
        "problem": "",
        "losses": 0,
        "seconds_lost": 0.0,
        "seconds": 10.0,
        "fps": 10.0,
        "captured": 100,
        "judged": 100,
        "dropped": 0,
        "faulty": 0,
        "misses": 0,
        "late": 0,
        "held_back": 0,
        "statuses": statuses,
        "known": 0,
        "right": 0,
        "steps": (step,),
        "course": "pppprp",
        "newest": seen(99),
        "noticed": seen(97, "reject"),
        "rejects": (seen(97, "reject"),),
        "health": {"dark": 0, "overrun": 2},
        "faults_of_frames": ("dark",),
        "health_notes": (),
        "drift": None,
        "verdicts": VerdictFile(file="verdicts.jsonl", written=100, lost=0, problem=None),
        **changes,
    }
    return CameraState(**values)


@dataclass
class FakeLine:
    """Answers the serving process as a stream would.

    Attributes:
        asked: how often it was asked.
        broken: whether it raises instead.
        ended: whether its stream has ended.
        speaks: while it is set; it hangs otherwise.
    """

    cameras: tuple[CameraState, ...] = (camera_state(),)
    sinks: tuple[SinkAccount, ...] = ()
    heat_maps: dict[str, dict[int, str]] = field(default_factory=dict)
    pixels: NDArray[np.generic] = field(
        default_factory=lambda: np.tile(np.arange(60, dtype=np.uint8) * 4, (40, 1))
    )
    title: str = "tiny.edgecl"
    asked: int = 0
    broken: bool = False
    ended: bool = False
    speaks: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.speaks.set()

    def answer(self, ask: Ask) -> tuple[Told, list[NDArray[np.generic]]]:
        self.asked += 1
        self.speaks.wait(60)
        if self.broken:
            raise ValueError("this line cannot answer")
        frames = [
            (camera.name, frame.frame)
            for camera in self.cameras
            for frame in (camera.newest, camera.noticed)
            if frame is not None and frame.frame not in ask.held.get(camera.name, ())
        ]
        images = tuple(
            Sent(
                camera=name,
                frame=frame,
                shape=self.pixels.shape,
                dtype=str(self.pixels.dtype),
                bits=None,
            )
            for name, frame in frames
        )
        state = LineState(
            title=self.title,
            model="fp32 onnxruntime",
            lot="4711",
            started="2026-11-27T12:00:00+00:00",
            cameras=self.cameras,
            sinks=self.sinks,
            parts=None,
            ended=self.ended,
        )
        told = Told(state=state, images=images, heat_maps=self.heat_maps)
        return told, [self.pixels] * len(frames)


@dataclass(frozen=True)
class ServedLine:
    """A line that is served on loopback.

    Attributes:
        link: of the judging side; closing it ends the stream.
    """

    port: int
    line: FakeLine
    link: socket.socket
    part: LivePart

    def end(self) -> None:
        """End as the judging process does."""
        self.link.shutdown(socket.SHUT_RDWR)

    def get(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str):
        """(status, headers in small letters, body) of a request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            found = [(name.lower(), value) for name, value in answer.getheaders()]
            return answer.status, dict(found), answer.read()
        finally:
            connection.close()

    def raw(self, data: bytes) -> bytes:
        """Everything that is answered to these bytes."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as client:
            client.sendall(data)
            return read_all(client)

    def events(self, **headers: str) -> http.client.HTTPResponse:
        """The event stream, opened."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/live/events", headers=headers)
        return connection.getresponse()


def read_all(client: socket.socket) -> bytes:
    data = b""
    while part := client.recv(1 << 16):
        data += part
    return data


def next_event(answer: http.client.HTTPResponse, name: str = "state") -> bytes:
    """The data of the next event of a name."""
    while line := answer.readline():
        if line.strip() == b"event: " + name.encode():
            return answer.readline().removeprefix(b"data: ")
    raise AssertionError(f"the stream of events ended without {name}")


@contextmanager
def served(line: FakeLine | None = None, *, token: str = "", **setup) -> Iterator[ServedLine]:
    """Serve a line from a thread of this process, as the serving process does."""
    line = line or FakeLine()
    ours, theirs = socket.socketpair()
    listening = listen(ServeAddress("127.0.0.1", 0))
    port = listening.getsockname()[1]
    told = ServingSetup(token=token, **{"names": (), "local": True, **setup})
    server, part = process.server_of(told, theirs)
    serving = threading.Thread(
        target=lambda: asyncio.run(process.serve_on(server, part, theirs, listening)), daemon=True
    )
    serving.start()
    receive(ours, Served)

    def converse() -> None:
        try:
            while True:
                asked, _ = receive(ours, Ask)
                if asked.looking:
                    send(ours, *line.answer(asked))
        except LinkClosedError:
            return

    answering = threading.Thread(target=converse, daemon=True)
    answering.start()
    try:
        yield ServedLine(port, line, ours, part)
    finally:
        ours.shutdown(socket.SHUT_RDWR)
        serving.join(30)
        answering.join(30)
        assert not serving.is_alive()
        for end in (ours, theirs, listening):
            end.close()
