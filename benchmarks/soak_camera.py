"""A camera that fails as planned, for `benchmarks/soak.py`: Motion JPEG over HTTP, on loopback.

    python benchmarks/soak_camera.py --frames 180000 --fps 100 --fault-share 0.1 --log sent.json

It prints its port. Every frame of the drawn line is another one; among them are the faults of
`KINDS`, each alone between good frames. Every `OUTAGE_EVERY` frames the camera is away, or, every
fifth time, stays connected and sends nothing. The first `LEAD` frames are good: those that come
before the model is loaded are passed over. In the end it is silent until it is terminated.
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

from runtime.camera.demo import DemoCamera

SHAPE = (256, 256)
KINDS = ("dark", "bright", "damaged", "size-changed", "repeated")
OUTAGE_EVERY = 3000
AWAY_S = 1.0
"""Seconds for which a camera that went away refuses connections."""
SILENT_S = 60.0
STALL_EVERY = 5
STALL_S = 7.0
"""Seconds without a byte: more than a camera is waited for."""
LEAD = 300
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

    camera = FailingCamera(arguments.frames, arguments.fps, arguments.fault_share, write_log)
    camera.serve()


class FailingCamera:
    """Sends the planned frames to whoever is connected.

    Args:
        frames: how many, faults among them.
        fps: their rate.
        fault_share: share of frames that have a fault.
        finished: called after the last frame, while the client is still connected.
    """

    def __init__(
        self,
        frames: int,
        fps: float,
        fault_share: float,
        finished: Callable[[], None] = lambda: None,
    ) -> None:
        self.finished = finished
        self._frames, self._fps = frames, fps
        self._every = max(2, round(1 / fault_share)) if fault_share else 0
        self._good = _coded_frames()
        self._broken = _broken_frames()
        self._counts: Counter[str] = Counter()
        self._returns: list[float] = []
        self._number = 0
        self._away = False
        self._done = threading.Event()

    def sent(self) -> dict[str, Any]:
        """Return frames by kind, and the moments when it was there again after an outage."""
        return {"counts": dict(self._counts), "returns": self._returns}

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

    def stream(self, write: Any) -> None:
        """Send frames at the rate until the client or the camera goes away."""
        start, first = time.monotonic(), self._number
        while self._number < self._frames:
            time.sleep(max(0.0, start + (self._number - first) / self._fps - time.monotonic()))
            kind, data = self._next()
            write(
                b"--f\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data)
                + data
                + b"\r\n"
            )
            self._counts[kind] += 1
            self._number += 1
            if self._number % OUTAGE_EVERY == 0 and self._number < self._frames:
                self._break_off()
                return
        self._done.set()
        self.finished()

    def _break_off(self) -> None:
        """Begin an outage; a stall is over when this returns."""
        if self._number // OUTAGE_EVERY % STALL_EVERY:
            self._counts["lost"] += 1
            self._away = True
            return
        self._counts["stalled"] += 1
        time.sleep(STALL_S)
        self._returns.append(time.time())

    def _next(self) -> tuple[str, bytes]:
        number = self._number
        good = self._good[number % len(self._good)]
        # After an outage a frame of another size would be the first one of its connection.
        soon = number < LEAD or number % OUTAGE_EVERY < self._every
        if not self._every or number % self._every or soon:
            return "good", good
        kind = KINDS[number // self._every % len(KINDS)]
        if kind == "repeated":
            return kind, self._good[(number - 1) % len(self._good)]
        if kind == "damaged":
            return kind, good[: len(good) * 2 // 3]
        variants = self._broken[kind]
        return kind, variants[number // self._every // len(KINDS) % len(variants)]


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


def _coded_frames() -> list[bytes]:
    demo = DemoCamera(SHAPE, fps=None, frames=DRAWN)
    frames = [np.asarray(frame.pixels, np.uint8) for frame in iter(demo.read, None)]
    return [_jpeg(frame, quality) for quality in QUALITIES for frame in frames]


def _broken_frames() -> dict[str, list[bytes]]:
    rng = np.random.default_rng(0)
    small = (SHAPE[0] // 2, SHAPE[1])
    steel = DemoCamera(small, fps=None, frames=7)
    return {
        "dark": [_jpeg(rng.integers(0, 4, SHAPE, np.uint8)) for _ in range(7)],
        "bright": [_jpeg(rng.integers(252, 256, SHAPE, np.uint8)) for _ in range(7)],
        "size-changed": [
            _jpeg(np.asarray(frame.pixels, np.uint8)) for frame in iter(steel.read, None)
        ],
    }


def _jpeg(pixels: NDArray[np.uint8], quality: int = 90) -> bytes:
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())


if __name__ == "__main__":
    main()
