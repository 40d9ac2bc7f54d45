"""A camera that fails as planned, for `benchmarks/soak.py`: Motion JPEG over HTTP, on loopback.

    python benchmarks/soak_camera.py --frames 180000 --fps 100 --fault-share 0.1 --log sent.json

It prints its port, sends one frame, and waits for a line on standard input. Then it sends what
`soak_plan.py` plans: every frame of the drawn line is another one, and the faults are among them.
Every `OUTAGE_EVERY` frames the camera is away, or, every fourth time, stays connected and sends
nothing. Where its client is to fall behind, it prints `hold` and `release`, and waits for a line
each time. In the end it is silent until it is terminated.
"""

from __future__ import annotations

import argparse
import http.server
import json
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.script import run_script
from benchmarks.soak_plan import (
    DEFOCUSED,
    DRIFTING_LIGHT,
    FROZEN,
    HELD,
    PASSED_OVER,
    SHAPE,
    STILL,
    broken_images,
    defocused,
    line_images,
    lit,
    plan,
    still_images,
)

OUTAGE_EVERY = 2000
AWAY_S = 1.0
"""Seconds for which a camera that went away refuses connections."""
SILENT_S = 60.0
STALL_EVERY = 4
STALL_S = 7.0
"""Seconds without a byte: more than a camera is waited for."""
CALM_S = 0.1
"""Pause before the client is held, so that no frame is on its way through it."""
DRAWN = 600
"""Good frames that are drawn; each round of them gets noise of its own by its JPEG quality."""
QUALITIES = (88, 90, 92, 94)


def main() -> None:
    """Serve one client until all frames were sent, then write what was sent."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--fps", type=float, default=100)
    parser.add_argument("--fault-share", type=float, default=0.1)
    parser.add_argument("--log", type=Path, required=True)
    arguments = parser.parse_args()

    def write_log() -> None:
        arguments.log.write_text(json.dumps(camera.sent()), encoding="utf-8")
        time.sleep(SILENT_S)

    camera = FailingCamera(
        arguments.frames, arguments.fps, arguments.fault_share, finished=write_log, ask=_ask
    )
    camera.serve()


def _ask(what: str) -> None:
    print(what, flush=True)
    sys.stdin.readline()


class FailingCamera:
    """Sends the planned frames to whoever is connected.

    Args:
        frames: how many, faults among them.
        fps: their rate.
        fault_share: share of frames that have a fault.
        finished: called after the last frame, while the client is still connected.
        ask: called with `begin`, `hold` and `release`; returns when that was done.
    """

    def __init__(
        self,
        frames: int,
        fps: float,
        fault_share: float,
        *,
        finished: Callable[[], None] = lambda: None,
        ask: Callable[[str], None] = lambda what: None,
    ) -> None:
        self.finished = finished
        self._ask = ask
        self._plan = plan(frames, fault_share)
        self._fps = fps
        images = line_images(DRAWN)
        self._good = [_jpeg(image, quality) for quality in QUALITIES for image in images]
        self._others = {
            **{kind: [_jpeg(one) for one in some] for kind, some in broken_images().items()},
            STILL: [_jpeg(image) for image in still_images(images[0])],
            DEFOCUSED: [_jpeg(defocused(image)) for image in images[::4]],
            DRIFTING_LIGHT: [_jpeg(lit(image)) for image in images[::4]],
        }
        self._last = b""
        self._counts: Counter[str] = Counter()
        self._returns: list[float] = []
        self._number = 0
        self._away = False
        self._done = threading.Event()

    def sent(self) -> dict[str, Any]:
        """Return faults by kind, frames, and the moments when it was back after an outage."""
        return {"frames": self._number, "counts": dict(self._counts), "returns": self._returns}

    def serve(self) -> None:
        """Serve until all frames were sent."""
        port = 0
        while not self._done.is_set():
            server = http.server.HTTPServer(("127.0.0.1", port), _handler(self))
            if port:
                self._returns.append(time.time())
            else:
                port = server.server_address[1]
                print(port, flush=True)
            server.timeout = 0.2
            self._away = False
            while not self._away and not self._done.is_set():
                server.handle_request()
            server.server_close()
            if not self._done.is_set():
                time.sleep(AWAY_S)

    def stream(self, write: Callable[[bytes], object]) -> None:
        """Send frames at the rate until the client or the camera goes away."""
        start, first = time.monotonic(), self._number
        while self._number < len(self._plan):
            before = self._plan[self._number - 1] if self._number else ""
            now = self._plan[self._number]
            if (before == HELD) != (now == HELD) or self._number == 1:
                time.sleep(CALM_S)
                self._ask("begin" if self._number == 1 else "hold" if now == HELD else "release")
                start, first = time.monotonic(), self._number
            time.sleep(max(0.0, start + (self._number - first) / self._fps - time.monotonic()))
            data = self._coded(now)
            write(
                b"--f\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data)
                + data
                + b"\r\n"
            )
            self._last = data
            self._count(before, now)
            self._number += 1
            if self._number % OUTAGE_EVERY == 0 and self._number < len(self._plan):
                self._break_off()
                return
        self._done.set()
        self.finished()

    def _count(self, before: str, now: str) -> None:
        if now == HELD:
            self._counts["overrun"] += PASSED_OVER * (before != HELD)
        elif now in (DEFOCUSED, DRIFTING_LIGHT):
            self._counts[now] = 1  # it is told when it begins
        elif now not in ("good", STILL):
            self._counts[now] += 1

    def _break_off(self) -> None:
        """Begin an outage; a stall is over when this returns."""
        if self._number // OUTAGE_EVERY % STALL_EVERY:
            self._counts["lost"] += 1
            self._away = True
            return
        self._counts["stalled"] += 1
        time.sleep(STALL_S)
        self._returns.append(time.time())

    def _coded(self, kind: str) -> bytes:
        number = self._number
        good = self._good[number % len(self._good)]
        if kind == "repeated":
            return self._last
        if kind == "damaged":
            return good[: len(good) * 2 // 3]
        variants = self._others.get(STILL if kind == FROZEN else kind)
        return good if variants is None else variants[number % len(variants)]


def _handler(camera: FailingCamera) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Keep quiet."""

        def do_GET(self) -> None:
            """Stream."""
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=f")
            self.end_headers()
            try:
                camera.stream(self.wfile.write)
            except OSError:
                return

    return Handler


def _jpeg(pixels: NDArray[np.uint8], quality: int = 90) -> bytes:
    assert pixels.size <= SHAPE[0] * SHAPE[1]
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())


if __name__ == "__main__":
    run_script(main)
