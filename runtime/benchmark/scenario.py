"""Definition of a benchmark: what is measured, how queries come, and for how long."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.benchmark.facts.scenario import (
    Driver,
    FrameFacts,
    ScenarioFacts,
    ScenarioKind,
    Settling,
    StabilityRule,
)
from runtime.benchmark.frames import DESCRIPTION, DISTINCT
from runtime.benchmark.measuring import in_turn
from runtime.benchmark.measuring.arrivals import FASTEST_HZ
from runtime.benchmark.measuring.in_turn import FIRST_ARRIVALS, FIRST_FRAMES
from runtime.benchmark.measuring.stability import RULE
from runtime.benchmark.planning import CoreShare, Plan, plan_sides, shared_out
from runtime.errors import InputError
from runtime.session.opening import CPU, ServerChoice, default_threads

FRAMES = 400
"""The smallest round number from which p99 has an interval with two ends (368)."""

BLOCK = 10
"""Queries per turn: short, so that the machine's drift falls on every side alike."""

ROUNDS = 30
"""Minimum number of rounds where there are frames enough: the bootstrap draws whole rounds."""

SCHEDULED_SECONDS = 2.0
SCHEDULED_ROUNDS = 8
"""Longest turn, and least number of rounds, where frames arrive at a rate or LoadGen issues them.

A turn begins with frames that are not counted, and a queue takes a while to find its length; the
bootstrap needs some rounds all the same. LoadGen runs a whole test in each.
"""

STREAMS = 4
BATCH = 16
"""Frames per query where none are named: four cameras, and a batch that any engine is fast at."""


@dataclass(frozen=True)
class Scenario:
    """Definition of a measurement.

    Args:
        bundles: bundle folders, or lone `.onnx` or `.engine` files; the first one's first side is
            what the others compare with.
        precisions: empty for all that each bundle holds.
        engines: empty for all that are installed.
        threads: inference threads; None for all cores of this process, and of `cadence` for those
            that `edgecl run` takes.
        thread_counts: every side once with each of these instead; empty for once, with `threads`.
        worker_counts: of `cadence`, every side once with so many frames judged at the same time;
            empty for one. With `thread_counts` there are no more threads in all than cores.
        server: that infers, for the engine `oip`.
        rivals: further sides, which no line can run.
        frames: frames per side, at least, rounded up to whole turns; a query of several streams
            counts once.
        warmup: queries per side before anything is counted, at least.
        frame_size: height and width of the camera's frame in pixels.
        seed: draws the frames, the order of the sides and random arrivals.
        device: `cpu`, `gpu`, or `auto` for the processor, and TensorRT where it works.
        kind: how queries come.
        streams: frames per query of `multi-stream`.
        batch: frames per query of `offline`.
        rate_hz: frames per second that arrive, of `server` and `cadence`.
        bound_ms: latency that is asked for, of `server`.
        soak_minutes: measure for so long, whatever `frames` says; None to count frames.
        driver: what issues the queries.
        stability: when a side is warm; None to warm up by `warmup` alone.
    """

    bundles: Sequence[Path]
    precisions: Sequence[str] = ()
    engines: Sequence[str] = ()
    threads: int | None = None
    thread_counts: Sequence[int] = ()
    worker_counts: Sequence[int] = ()
    server: ServerChoice | None = None
    rivals: Sequence[Plan] = ()
    frames: int = FRAMES
    warmup: int = 30
    frame_size: tuple[int, int] = (256, 1600)
    seed: int = 0
    device: str = CPU
    kind: ScenarioKind = "single-stream"
    streams: int = STREAMS
    batch: int = BATCH
    rate_hz: float | None = None
    bound_ms: float | None = None
    soak_minutes: float | None = None
    driver: Driver = "edgecl"
    stability: StabilityRule | None = RULE

    def __post_init__(self) -> None:
        for name, value, least in (
            ("frames", self.frames, 1),
            ("warmup", self.warmup, 0),
            ("threads", 1 if self.threads is None else self.threads, 1),
            ("frame height", self.frame_size[0], 1),
            ("frame width", self.frame_size[1], 1),
            ("streams", self.streams, 1),
            ("batch", self.batch, 1),
            *(("workers", workers, 1) for workers in self.worker_counts),
        ):
            if value < least:
                raise InputError(f"{name} {value} is too small", hint=f"use at least {least}")
        for name, number in (
            ("rate", self.rate_hz),
            ("bound", self.bound_ms),
            ("soak", self.soak_minutes),
        ):
            if number is not None and not 0 < number < math.inf:
                raise InputError(f"{name} {number:g} is not above 0", hint="use a number above 0")
        if self.rate_hz is not None and self.rate_hz > FASTEST_HZ:
            raise InputError(
                f"rate {self.rate_hz:g} is too high", hint=f"use at most {FASTEST_HZ:g} per second"
            )
        if self.scheduled and self.rate_hz is None:
            option = "--cadence 30fps" if self.kind == "cadence" else "--rate 100"
            raise InputError(f"scenario {self.kind} has no rate", hint=f"add {option}")
        if self.worker_counts and self.kind != "cadence":
            raise InputError(
                f"workers take frames in turns, but {self.kind} has one frame at a time",
                hint="add --cadence 30fps",
            )
        if self.driver == "loadgen" and self.kind not in ("single-stream", "offline"):
            raise InputError(
                f"the driver LoadGen takes single-stream and offline, but this is {self.kind}",
                hint="omit --driver, or use another --scenario",
            )

    def plans(self) -> list[Plan]:
        """Return the sides, before any is open.

        Raises:
            InputError: see `plan_sides`.
        """
        shares = self._shares()
        own = plan_sides(self.bundles, self.precisions, self.engines, self.device, shares)
        return [*own, *(plan for rival in self.rivals for plan in shared_out(rival, shares))]

    @property
    def usual_threads(self) -> int:
        """Inference threads of sides that have no number of their own."""
        return self.threads or self._threads_of(1)

    def _threads_of(self, workers: int) -> int:
        """Share the cores out; at cadence, as `edgecl run` does, one is left for capture."""
        cores = default_threads()
        return max(1, (cores - 1) // workers) if self.kind == "cadence" else cores

    def _shares(self) -> list[CoreShare]:
        workers = tuple(dict.fromkeys(self.worker_counts))
        if not workers:
            return [CoreShare(threads) for threads in self.thread_counts]
        if self.thread_counts:
            return [
                CoreShare(threads, count)
                for count in workers
                for threads in self.thread_counts
                if threads == 1 or threads * count <= default_threads()
            ]
        usual = self.usual_threads
        threads = [self.threads or self._threads_of(count) for count in workers]
        differ = any(own != usual for own in threads)
        return [
            CoreShare(own if differ else None, count)
            for count, own in zip(workers, threads, strict=True)
        ]

    @property
    def scheduled(self) -> bool:
        """Whether frames arrive at a rate, and not after one another."""
        return self.kind in ("server", "cadence")

    @property
    def together(self) -> int:
        """Frames per query."""
        return {"multi-stream": self.streams, "offline": self.batch}.get(self.kind, 1)

    @property
    def queries(self) -> int:
        """Queries per side, at least."""
        return math.ceil(self.frames / self.batch) if self.kind == "offline" else self.frames

    @property
    def block(self) -> int:
        """Queries per side and round."""
        if self.driver == "loadgen":
            return max(1, self.queries // SCHEDULED_ROUNDS)
        if self.rate_hz is None or not self.scheduled:
            return max(1, min(BLOCK, self.queries // ROUNDS))
        longest = max(1, round(SCHEDULED_SECONDS * self.rate_hz))
        return max(1, min(longest, self.queries // SCHEDULED_ROUNDS))

    @property
    def rounds(self) -> int:
        """Rounds where frames are counted; each gives every side one turn."""
        return math.ceil(self.queries / self.block)

    @property
    def side_seconds(self) -> float | None:
        """Seconds that a side takes for its frames; None where their rate is its own."""
        if self.rate_hz is None or not self.scheduled or self.soak_minutes is not None:
            return None
        uncounted = FIRST_ARRIVALS if self.kind == "server" else FIRST_FRAMES
        return self.rounds * (self.block + uncounted) / self.rate_hz

    def facts(self, rounds: int) -> ScenarioFacts:
        """Return the scenario as the report tells it, after so many rounds."""
        frames = self.block * self.together
        settling = Settling(seconds=in_turn.SETTLE_SECONDS, frames=in_turn.SETTLE_QUERIES)
        return ScenarioFacts(
            kind=self.kind,
            frames=rounds * frames,
            rounds=rounds,
            block=frames,
            settle=settling,
            warmup=self.warmup,
            frame=FrameFacts(
                height=self.frame_size[0],
                width=self.frame_size[1],
                channels=1,
                distinct=DISTINCT,
                content=DESCRIPTION,
            ),
            seed=self.seed,
            threads=self.usual_threads,
            frames_per_query=self.together,
            rate_hz=self.rate_hz,
            bound_ms=self.bound_ms,
            soak_minutes=self.soak_minutes,
            driver=self.driver,
            stability=self.stability,
        )


def turns_of_rounds(sides: int, *, seed: int) -> Iterator[list[int]]:
    """Yield the order of turns, round after round: every side once, shuffled anew.

    A fixed order would let a periodic disturbance hit the same side every time.
    """
    rng = np.random.default_rng(seed)
    while True:
        yield [int(index) for index in rng.permutation(sides)]
