"""The benchmark itself: warm up, then measure the sides in turn, round after round."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.benchmark.document import LatencyReport, SkippedSide
from runtime.benchmark.facts.scenario import FrameFacts, ScenarioFacts, Settling
from runtime.benchmark.frames import DESCRIPTION, draw_frames
from runtime.benchmark.planning import Plan, plan_sides
from runtime.benchmark.report import Measurement, build_report
from runtime.benchmark.sides import Side
from runtime.errors import EdgeclError, InputError
from runtime.machine import read_activity
from runtime.progress import NotedProgress
from runtime.session.opening import CPU, EngineFor, default_threads

FRAMES = 400
"""The smallest round number from which p99 has an interval with two ends (368)."""

BLOCK = 10
"""Frames per turn: short, so that the machine's drift falls on every side alike."""

ROUNDS = 30
"""Minimum number of rounds where there are frames enough: the bootstrap draws whole rounds."""

SETTLE_SECONDS = 0.03
SETTLE_FRAMES = 2
"""Minimum time and number of uncounted frames at the start of a side's turn.

The side before left its weights in the caches, and its threads spin on for milliseconds and take
the cores from this one: uncounted, two threads on two cores measured up to a third slower than
alone. Sleeping instead would not do: a line that streams never lets its caches and clocks rest.
"""


@dataclass(frozen=True)
class Scenario:
    """Definition of a measurement.

    Args:
        bundles: bundle folders; the first one's first side is what the others compare with.
        precisions: empty for all that each bundle holds.
        engines: empty for all that are installed.
        threads: inference threads; None for all cores of this process.
        frames: frames per side, at least; rounded up to whole turns.
        warmup: frames per side before anything is counted.
        frame_size: height and width of the camera's frame in pixels.
        seed: draws the frames and the order of the sides.
        device: `cpu`, `gpu`, or `auto` for the processor, and TensorRT where it works.
    """

    bundles: Sequence[Path]
    precisions: Sequence[str] = ()
    engines: Sequence[str] = ()
    threads: int | None = None
    frames: int = FRAMES
    warmup: int = 30
    frame_size: tuple[int, int] = (256, 1600)
    seed: int = 0
    device: str = CPU

    def __post_init__(self) -> None:
        for name, value, least in (
            ("frames", self.frames, 1),
            ("warmup", self.warmup, 0),
            ("threads", 1 if self.threads is None else self.threads, 1),
            ("frame height", self.frame_size[0], 1),
            ("frame width", self.frame_size[1], 1),
        ):
            if value < least:
                raise InputError(f"{name} {value} is too small", hint=f"use at least {least}")

    @property
    def block(self) -> int:
        """Frames per side and round."""
        return max(1, min(BLOCK, self.frames // ROUNDS))

    @property
    def rounds(self) -> int:
        """Rounds; each gives every side one turn."""
        return math.ceil(self.frames / self.block)


def run_benchmark(
    scenario: Scenario,
    *,
    progress: NotedProgress | None = None,
    engine_for: EngineFor | None = None,
) -> LatencyReport:
    """Measure every side and judge whether the measurement can be trusted.

    A side that its engine cannot load is left out and named in the report, unless the engine
    was asked for by name.

    Args:
        scenario: what to measure.
        progress: told after every turn.
        engine_for: gives TensorRT's engine of a bundle, before anything is measured.

    Returns:
        The report, ready for `write_report`.

    Raises:
        InputError: a bundle, precision or engine that cannot be used.
    """
    tell = progress or (lambda done, total, what: None)
    threads = scenario.threads or default_threads()
    plans = plan_sides(scenario.bundles, scenario.precisions, scenario.engines, scenario.device)
    frames = draw_frames(*scenario.frame_size, seed=scenario.seed)
    with ExitStack() as stack:
        sides, left_out = _open_sides(
            plans, threads, engine_for, strict=bool(scenario.engines), stack=stack
        )
        delivered = [side.delivered(frames) for side in sides]
        per_side = scenario.warmup + scenario.rounds * scenario.block
        total = len(sides) * per_side
        done = 0
        for side, own in zip(sides, delivered, strict=True):
            tell(done, total, f"warming up {side.plan.label}")
            _judge(side, own, 0, max(1, scenario.warmup))
            done += scenario.warmup
        before = read_activity()
        start = time.perf_counter()
        order = turn_order(len(sides), scenario.rounds, seed=scenario.seed)
        taken: list[list[dict[str, int]]] = [[] for _ in sides]
        for number, turns in enumerate(order):
            for index in turns:
                side, own = sides[index], delivered[index]
                _settle(side, own)
                taken[index] += _judge(side, own, number * scenario.block, scenario.block)
                done += scenario.block
                tell(done, total, f"round {number + 1} of {scenario.rounds}")
        wall = time.perf_counter() - start
        after = read_activity()
        described = [side.describe() for side in sides]
    return build_report(
        Measurement(
            sides=described,
            times=[_stack(times, scenario.rounds) for times in taken],
            order=order,
            before=before,
            after=after,
            wall_s=wall,
            threads=threads,
            left_out=left_out,
        ),
        scenario=ScenarioFacts(
            kind="single-stream",
            frames=scenario.rounds * scenario.block,
            rounds=scenario.rounds,
            block=scenario.block,
            settle=Settling(seconds=SETTLE_SECONDS, frames=SETTLE_FRAMES),
            warmup=scenario.warmup,
            frame=FrameFacts(
                height=scenario.frame_size[0],
                width=scenario.frame_size[1],
                channels=1,
                distinct=len(frames),
                content=DESCRIPTION,
            ),
            seed=scenario.seed,
            threads=threads,
        ),
    )


def turn_order(sides: int, rounds: int, *, seed: int) -> list[list[int]]:
    """Return the order of turns: every side once per round, shuffled anew.

    A fixed order would let a periodic disturbance hit the same side every time.
    """
    rng = np.random.default_rng(seed)
    return [[int(index) for index in rng.permutation(sides)] for _ in range(rounds)]


def _open_sides(
    plans: Sequence[Plan],
    threads: int,
    engine_for: EngineFor | None,
    *,
    strict: bool,
    stack: ExitStack,
) -> tuple[list[Side], list[SkippedSide]]:
    sides: list[Side] = []
    left_out = []
    for plan in plans:
        try:
            side = Side(plan, threads=threads, engine_for=engine_for)
        except EdgeclError as error:
            if strict:
                raise
            left_out.append(SkippedSide(label=plan.label, reason=error.problem))
            continue
        stack.callback(side.close)
        sides.append(side)
    if not sides:
        raise InputError(
            f"no engine can load any of the bundles ({left_out[0].reason})",
            hint="export the model again with 'edgecl export'",
        )
    return sides, left_out


def _judge(
    side: Side, frames: Sequence[NDArray[np.generic]], first: int, count: int
) -> list[dict[str, int]]:
    return [side.judge(frames[(first + offset) % len(frames)])[1] for offset in range(count)]


def _settle(side: Side, frames: Sequence[NDArray[np.generic]]) -> None:
    end = time.perf_counter() + SETTLE_SECONDS
    _judge(side, frames, 0, SETTLE_FRAMES)
    while time.perf_counter() < end:
        _judge(side, frames, 0, 1)


def _stack(times: Sequence[dict[str, int]], rounds: int) -> dict[str, NDArray[np.int64]]:
    """Return the times per step, rounds × frames."""
    return {
        step: np.array([entry[step] for entry in times], np.int64).reshape(rounds, -1)
        for step in times[0]
    }
