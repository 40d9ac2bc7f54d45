"""The benchmark itself: warm up, then measure the sides in turn, round after round."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.benchmark.document import LatencyReport, SkippedSide
from runtime.benchmark.facts.side import SideAnswers, WarmUp
from runtime.benchmark.frames import draw_frames
from runtime.benchmark.measuring.cadence import AtCadence
from runtime.benchmark.measuring.in_turn import AtRandom, InTurn
from runtime.benchmark.measuring.loadgen import UnderLoadGen
from runtime.benchmark.measuring.record import SideRecord
from runtime.benchmark.measuring.stability import is_stable
from runtime.benchmark.measuring.turn import Asker, Turn
from runtime.benchmark.report import Measurement, build_report
from runtime.benchmark.scenario import Scenario, turns_of_rounds
from runtime.benchmark.sides import TOTAL, Side
from runtime.errors import EdgeclError, InputError
from runtime.interpreter import tuned_for_latency
from runtime.machine import read_activity
from runtime.novelty import novelty_beside
from runtime.progress import NotedProgress
from runtime.session.opening import EngineFor

LEAST_SOAKED = 2
"""Rounds of the shortest soak: drift is the change from the first half to the second."""


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
        progress: called with the frames done, the frames in all, and what happens now; of a soak
            with the seconds.
        engine_for: gives TensorRT's engine of a bundle; see `open_session`.

    Returns:
        The report.

    Raises:
        InputError: a bundle, precision or engine cannot be used, or no side is left.
    """
    tell = progress or (lambda done, total, what: None)
    threads = scenario.usual_threads
    with ExitStack() as stack:
        sides, left_out = _open_sides(scenario, engine_for, stack)
        frames = draw_frames(*scenario.frame_size, seed=scenario.seed)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgecl-bench-")))
        askers = [
            _asker(scenario, side, side.delivered(frames), folder / f"{number}.jsonl")
            for number, side in enumerate(sides)
        ]
        for asker in askers:
            stack.callback(asker.close)
        if scenario.kind == "cadence":
            stack.enter_context(tuned_for_latency())  # as `edgecl run` is
        warm_ups = []
        total = len(sides) * scenario.rounds * scenario.block
        for side, asker in zip(sides, askers, strict=True):
            tell(0, total, f"warming up {side.plan.label}")
            warm_ups.append(warm_up(asker, scenario))
        before = read_activity()
        start = time.perf_counter()
        order: list[list[int]] = []
        taken: list[list[Turn]] = [[] for _ in sides]
        for turns in turns_of_rounds(len(sides), seed=scenario.seed):
            passed = time.perf_counter() - start
            if _is_over(scenario, len(order), passed):
                break
            for index in turns:
                askers[index].settle()
                taken[index].append(askers[index].ask(scenario.block, len(order)))
                tell(*_progress(scenario, taken, time.perf_counter() - start))
            order.append(turns)
        wall = time.perf_counter() - start
        after = read_activity()
        answers = [_answers(side, own) for side, own in zip(sides, taken, strict=True)]
        described = [side.describe() for side in sides]
    first_ns = min(int(turns[0].starts[0]) for turns in taken)
    return build_report(
        Measurement(
            sides=described,
            times=[_stack(turns) for turns in taken],
            order=order,
            before=before,
            after=after,
            wall_s=wall,
            threads=threads,
            left_out=left_out,
            records=[
                SideRecord.of(turns, first_ns, warm, said)
                for turns, warm, said in zip(taken, warm_ups, answers, strict=True)
            ],
        ),
        scenario=scenario.facts(len(order)),
    )


def warm_up(asker: Asker, scenario: Scenario) -> WarmUp:
    """Put uncounted queries to a side until its times are stable, or the rule's limit is there."""
    start = time.perf_counter()
    rule = scenario.stability
    queries, windows = 0, list[NDArray[np.int64]]()
    if scenario.warmup or rule is None:
        queries = max(1, scenario.warmup)
        asker.ask(queries, 0)
    stable: bool | None = None
    while rule is not None and not stable:
        spent = time.perf_counter() - start
        stable = False
        if len(windows) >= rule.limit_windows or spent >= rule.limit_seconds:
            break
        windows.append(asker.ask(rule.window, len(windows)).times[TOTAL])
        queries += rule.window
        stable = is_stable(windows, rule)
    return WarmUp(
        queries=queries,
        seconds=round(time.perf_counter() - start, 3),
        stable=stable,
        medians_ms=tuple(round(float(np.median(window)) / 1e6, 6) for window in windows),
    )


def _asker(
    scenario: Scenario, side: Side, frames: Sequence[NDArray[np.generic]], verdicts: Path
) -> Asker:
    rate = scenario.rate_hz
    if scenario.driver == "loadgen":
        return UnderLoadGen(side, frames, scenario.kind, scenario.together)
    if scenario.kind == "server" and rate is not None:
        return AtRandom(side, frames, rate, scenario.seed)
    if scenario.kind == "cadence" and rate is not None:
        bundle = side.plan.bundle
        novelty = None if bundle is None else novelty_beside(bundle)
        return AtCadence(side, frames, rate, verdicts, novelty)
    return InTurn(side, frames, scenario.together)


def _is_over(scenario: Scenario, rounds: int, passed_s: float) -> bool:
    if scenario.soak_minutes is None:
        return rounds >= scenario.rounds
    return rounds >= LEAST_SOAKED and passed_s >= 60 * scenario.soak_minutes


def _progress(
    scenario: Scenario, taken: Sequence[Sequence[Turn]], passed_s: float
) -> tuple[int, int, str]:
    done = sum(map(len, taken))
    what = f"round {-(-done // len(taken))}"
    if scenario.soak_minutes is not None:
        seconds = math.ceil(60 * scenario.soak_minutes)
        return min(int(passed_s), seconds), seconds, what
    total = scenario.rounds * len(taken)
    return (
        done * scenario.block,
        total * scenario.block,
        f"{what} of {scenario.rounds}",
    )


def _answers(side: Side, turns: Sequence[Turn]) -> SideAnswers:
    """Look at what a side answered, and ask for the golden images once more."""
    faults = sum(turn.faults for turn in turns)
    try:
        golden, wrong = side.golden_labels()
    except EdgeclError as error:
        return SideAnswers(golden=0, other_labels=0, faults=faults, problem=error.problem)
    return SideAnswers(golden=golden, other_labels=wrong, faults=faults)


def _open_sides(
    scenario: Scenario, engine_for: EngineFor | None, stack: ExitStack
) -> tuple[list[Side], list[SkippedSide]]:
    sides: list[Side] = []
    left_out = []
    refused: EdgeclError | None = None
    threads = scenario.usual_threads
    for plan in scenario.plans():
        try:
            side = Side(plan, threads=threads, engine_for=engine_for, server=scenario.server)
        except EdgeclError as error:
            # A server need not have every precision of the bundle.
            away = error.code == "server-unavailable"
            optional = plan.rival or (plan.remote and not scenario.precisions and not away)
            if scenario.engines and not optional:
                raise
            refused = refused or error
            left_out.append(SkippedSide(label=plan.label, reason=error.problem))
            continue
        stack.callback(side.close)
        sides.append(side)
    if refused is not None and scenario.engines and not sides:
        raise refused
    if not sides:
        raise InputError(
            f"no engine can load any of the bundles ({left_out[0].reason})",
            hint="export the model again with 'edgecl export'",
        )
    return sides, left_out


def _stack(turns: Sequence[Turn]) -> dict[str, NDArray[np.int64]]:
    """Return the times per step, rounds × queries, of the steps that every turn has."""
    steps = [step for step in turns[0].times if all(step in turn.times for turn in turns)]
    return {step: np.stack([turn.times[step] for turn in turns]) for step in steps}
