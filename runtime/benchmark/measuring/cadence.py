"""Frames at a line's rate, through the pipeline of `edgecl run`, the device idle in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.benchmark.measuring.in_turn import FIRST_FRAMES, WAIT
from runtime.benchmark.measuring.turn import Turn, stacked
from runtime.benchmark.sides import TOTAL, Side
from runtime.camera.base import Camera, Frame, as_pixels
from runtime.errors import EquipmentError
from runtime.health import HealthLimits
from runtime.novelty import Novelty
from runtime.stream.budget import AGE, EMIT
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.rules import Rules
from runtime.stream.sinks.base import Sink
from runtime.stream.sinks.json_lines import JsonLinesSink
from runtime.stream.verdict import Status, Verdict

PATIENCE_S = 10.0
"""Time beyond the schedule after which a turn without answers ends the measurement."""


class DueCamera(Camera):
    """Delivers frames at fixed moments while it runs, and waits in between.

    Every frame is the metal a little further on, as no camera delivers the same image twice. A
    read that comes late does not move the moments that follow. `delay_ns` of a frame is how long
    after its moment it was at hand.

    Args:
        frames: H×W, uint8 or uint16, that it shows in turn.
        rate_hz: frames per second.
        bits: of uint16.
    """

    live = True

    def __init__(
        self, frames: Sequence[NDArray[np.generic]], rate_hz: float, bits: int | None = None
    ) -> None:
        self.name = f"drawn frames at {rate_hz:g} frames/s"
        self.fps = rate_hz
        self._frames = frames
        self._period_ns = 1e9 / rate_hz
        self._bits = bits
        self._number = 0
        self._changed = threading.Condition()
        self._running = self._closed = False
        self._due_ns = 0.0

    def run(self) -> None:
        """Deliver frames from one period from now on."""
        with self._changed:
            self._due_ns = time.monotonic_ns() + self._period_ns
            self._running = True
            self._changed.notify_all()

    def pause(self) -> None:
        """Deliver none until `run`."""
        with self._changed:
            self._running = False
            self._changed.notify_all()

    def read(self) -> Frame | None:
        """Wait for the next frame's moment; None when closed."""
        due = self._wait()
        if due is None:
            return None
        start = time.monotonic_ns()
        shown = self._frames[self._number % len(self._frames)]
        shift = 1 + self._number // len(self._frames) % (shown.shape[1] - 1)
        pixels = np.empty_like(shown)
        pixels[:, shift:], pixels[:, :shift] = shown[:, :-shift], shown[:, -shift:]
        frame = Frame(
            self._number,
            as_pixels(pixels),
            start,
            time.monotonic_ns(),
            bits=self._bits,
            delay_ns=start - due,
        )
        self._number += 1
        return frame

    def close(self) -> None:
        """End the stream. A read that waits returns None at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _wait(self) -> int | None:
        with self._changed:
            while not self._closed:
                if not self._running:
                    self._changed.wait()
                    continue
                left = self._due_ns - time.monotonic_ns()
                if left <= 0:
                    due = round(self._due_ns)
                    self._due_ns += self._period_ns
                    return due
                self._changed.wait(left / 1e9)
        return None


class _Answers(Sink):
    """Keeps the verdicts of a turn, stamped where the sink before it has taken them."""

    name = "answers"
    isolated = True

    def __init__(self) -> None:
        self._kept: list[tuple[Verdict, int]] = []
        self._wanted = 0
        self._enough = threading.Event()

    def want(self, count: int) -> None:
        """Forget what is kept, and wait for so many."""
        self._kept, self._wanted = [], count
        self._enough.clear()

    def wait(self, timeout_s: float) -> bool:
        """Whether they are there in time."""
        return self._enough.wait(timeout_s)

    def take(self) -> list[tuple[Verdict, int]]:
        """Return the verdicts that were wanted, and when each was handed over."""
        return self._kept[: self._wanted]

    def emit(self, verdict: Verdict) -> None:
        self._kept.append((verdict, time.monotonic_ns()))
        if len(self._kept) == self._wanted:
            self._enough.set()


class AtCadence:
    """Runs a side's pipeline, with health checks, novelty and verdicts.jsonl, at a line's rate.

    The pipeline lives as long as the benchmark, and rests while other sides have their turns.

    Args:
        side: open.
        frames: as the camera delivers them.
        rate_hz: frames per second.
        verdicts: file for the verdicts; it must not exist.
        novelty: of the bundle; None where it has none.

    Raises:
        InputError: the file cannot be made.
    """

    def __init__(
        self,
        side: Side,
        frames: Sequence[NDArray[np.generic]],
        rate_hz: float,
        verdicts: Path,
        novelty: Novelty | None = None,
    ) -> None:
        self._rate_hz = rate_hz
        self._camera = DueCamera(frames, rate_hz, side.session.view.deep_bits)
        self._answers = _Answers()
        self._lines = JsonLinesSink(verdicts)
        # As `edgecl run` does it for a live camera: the newest frame wins.
        settings = Settings(Rules(), every_frame=False, health=HealthLimits(), novelty=novelty)
        self._pipeline = Pipeline(
            self._camera,
            side.session,
            settings,
            (self._lines, self._answers),
            workers=side.plan.workers or 1,
        )
        self._pipeline.start()

    def settle(self) -> None:
        """Nothing: the first frames of a turn are not counted."""

    def ask(self, queries: int, turn: int) -> Turn:
        """Let the line run until so many frames are judged.

        Raises:
            EdgeclError: the pipeline ended, or answers no more.
        """
        before = self._pipeline.ledger.snapshot()
        self._answers.want(FIRST_FRAMES + queries)
        self._camera.run()
        until = time.monotonic() + PATIENCE_S + 2 * (FIRST_FRAMES + queries) / self._rate_hz
        while not self._answers.wait(0.1):
            if self._pipeline.wait(0) or time.monotonic() > until:
                self._camera.pause()
                self._pipeline.finish()
                raise EquipmentError(
                    "the pipeline gave no verdicts in time",
                    hint="use a lower --cadence, or look at it with 'edgecl run'",
                )
        self._camera.pause()
        after = self._pipeline.ledger.snapshot()
        counted = self._answers.take()[FIRST_FRAMES:]
        return _turn_of(counted, after.dropped - before.dropped)

    def close(self) -> None:
        """End the pipeline, and its file."""
        self._camera.close()
        self._pipeline.close()
        self._lines.close()


def _turn_of(counted: list[tuple[Verdict, int]], dropped: int) -> Turn:
    """Return a turn from its verdicts and the moments at which they were handed over."""
    answers, due, late = [], [], []
    for verdict, handed_ns in counted:
        steps = dict(verdict.steps)
        behind = steps[AGE] - steps[TOTAL]
        moment = verdict.captured_ns - behind
        out_ns = verdict.captured_ns + steps[TOTAL]
        answers.append({WAIT: behind, **steps, EMIT: handed_ns - out_ns, TOTAL: handed_ns - moment})
        due.append(moment)
        late.append(behind)
    times = stacked(answers)
    starts = np.array(due, np.int64)
    return Turn(
        times,
        starts,
        int(starts[-1] + times[TOTAL][-1] - starts[0]),
        sum(verdict.decision.status is Status.FAULT for verdict, _ in counted),
        late=np.array(late, np.int64),
        dropped=dropped,
    )
