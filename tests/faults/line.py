"""A line with a camera that fails as it is told to, and its accounts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.contract import InputContract, ModelContract
from runtime.camera import Camera, Frame
from runtime.camera.demo import DemoCamera
from runtime.health import HealthLimits
from runtime.session.base import Outputs, Session
from runtime.stream.ledger import Snapshot
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.sinks import Sink
from runtime.stream.verdict import Verdict

PATIENCE = 120.0
SHAPE = (128, 128)
TICK_NS = 10_000_000
"""100 frames/s by the camera's clock; the test runs as fast as it can."""


class ScriptedCamera(Camera):
    """Gives what it is told to, at the rate of its own clock, and waits for the judge.

    Args:
        script: pixels, or None for a frame that could not be decoded.
        clock: seconds by which the camera's timestamps are off, by frame number.
    """

    name = "a camera that fails as it is told"
    live = True

    def __init__(
        self, script: Sequence[NDArray[Any] | None], clock: dict[int, float] | None = None
    ) -> None:
        self._script = script
        self._clock = clock or {}
        self._number = 0
        self._began_ns = time.monotonic_ns() - len(script) * TICK_NS
        self.sink = CollectingSink()

    def read(self) -> Frame | None:
        """The next frame of the script, once the verdicts are nearly up to it."""
        number, self._number = self._number, self._number + 1
        if number == len(self._script):
            return None
        while len(self.sink.verdicts) < number - 8:
            time.sleep(0.0005)
        pixels = self._script[number]
        at = self._began_ns + number * TICK_NS
        return Frame(
            number,
            pixels,
            at,
            at,
            fault="" if pixels is not None else "a JPEG that is cut short",
            device_ns=round(number * TICK_NS + self._clock.get(number, 0.0) * 1e9),
        )


class CollectingSink(Sink):
    """Keeps all verdicts."""

    isolated = True

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []

    def emit(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)


class QuickSession(Session):
    """Lets everything pass."""

    engine, version, device, precision = "quick", "1", "CPU", "fp32"
    contract = ModelContract(InputContract(64, 64), ("good", "bad"), ("good",))

    def _infer(self, batch: NDArray[np.uint8]) -> Outputs:
        return Outputs(np.array([[0.9, 0.1]], np.float32), np.zeros((1, 4), np.float32))


def run(
    camera: Camera, sink: CollectingSink, limits: HealthLimits | None, frames: int | None = None
) -> tuple[Snapshot, Sequence[str]]:
    """Judge all frames; return the accounts and the notes."""
    settings = Settings(health=limits, every_frame=True, frames=frames)
    pipeline = Pipeline(camera, QuickSession(), settings, [sink])
    pipeline.start()
    assert pipeline.wait(PATIENCE)
    return pipeline.finish(), pipeline.notes


def good_frames(count: int) -> list[NDArray[np.uint8]]:
    """Frames of the demo line."""
    demo = DemoCamera(SHAPE, fps=None, frames=count)
    return [np.asarray(frame.pixels, np.uint8) for frame in iter(demo.read, None)]


def named(verdicts: Sequence[Verdict]) -> list[str]:
    """The stable name of each verdict's fault; empty for a frame that was judged."""
    return [verdict.decision.reason.partition(":")[0] for verdict in verdicts]
