"""Queries issued by MLCommons' LoadGen, so that figures stand in its terms."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.benchmark.facts.scenario import ScenarioKind
from runtime.benchmark.facts.side import LoadGenFigures
from runtime.benchmark.measuring.in_turn import InTurn
from runtime.benchmark.measuring.turn import Turn, stacked
from runtime.benchmark.sides import TOTAL, Side
from runtime.errors import EquipmentError, InputError
from runtime.stream.verdict import Status

DISTRIBUTION = "mlcommons-loadgen"

_P90 = re.compile(r"^90\.0+ percentile latency \(ns\)\s*:\s*(\d+)", re.MULTILINE)
_RATE = re.compile(r"^Samples per second\s*:\s*([\d.]+)", re.MULTILINE)


class UnderLoadGen:
    """Lets LoadGen run a test of its own for each turn, and keeps the steps of each query.

    Args:
        side: open.
        frames: as the camera delivers them.
        kind: `single-stream` or `offline`.
        together: frames that the side judges at a time of those that LoadGen issues at once.

    Raises:
        InputError: the driver LoadGen is not installed.
    """

    def __init__(
        self, side: Side, frames: Sequence[NDArray[np.generic]], kind: ScenarioKind, together: int
    ) -> None:
        self._loadgen = _module()
        self._side = side
        self._frames = frames
        self._offline = kind == "offline"
        self._together = together
        self._own = InTurn(side, frames, together)

    def settle(self) -> None:
        """Judge for a moment, without LoadGen."""
        self._own.settle()

    def ask(self, queries: int, turn: int) -> Turn:
        """Run one test of LoadGen.

        Raises:
            EdgeclError: the side failed, or LoadGen gave no figures.
        """
        lg = self._loadgen
        queue = _Queue(self, lg)
        settings = lg.TestSettings()
        settings.mode = lg.TestMode.PerformanceOnly
        scenarios = lg.TestScenario
        settings.scenario = scenarios.Offline if self._offline else scenarios.SingleStream
        settings.min_query_count = settings.max_query_count = queries * self._together
        settings.min_duration_ms = 0
        settings.offline_expected_qps = 1
        settings.sample_index_rng_seed = turn + 1
        with tempfile.TemporaryDirectory(prefix="edgecl-loadgen-") as folder:
            output = lg.LogOutputSettings()
            output.outdir, output.copy_summary_to_stdout = folder, False
            logs = lg.LogSettings()
            logs.log_output, logs.enable_trace = output, False
            sut = lg.ConstructSUT(queue.issue, _nothing)
            count = len(self._frames)
            library = lg.ConstructQSL(count, count, _nothing, _nothing)
            try:
                lg.StartTestWithLogSettings(
                    sut, library, settings, logs, str(Path(folder) / "audit.config")
                )
            finally:
                lg.DestroyQSL(library)
                lg.DestroySUT(sut)
            summary = (Path(folder) / "mlperf_log_summary.txt").read_text(encoding="utf-8")
        if queue.failure is not None:
            raise queue.failure
        return queue.turn(queries, figures_of(summary))

    def close(self) -> None:
        """Nothing runs beside."""

    def judge(self, indices: Sequence[int]) -> tuple[int, dict[str, int]]:
        """Judge frames by their place; how many got no answer, and the times."""
        if len(indices) == 1:
            status, times = self._side.judge(self._frames[indices[0]])
            return int(status is Status.FAULT), times
        return self._side.judge_together([self._frames[index] for index in indices])

    @property
    def together(self) -> int:
        """Frames that are judged at a time."""
        return self._together


class _Queue:
    """Takes what LoadGen issues, from a thread of LoadGen's, where nothing may be raised."""

    def __init__(self, asker: UnderLoadGen, loadgen: Any) -> None:
        self._asker = asker
        self._loadgen = loadgen
        self._answers: list[dict[str, int]] = []
        self._starts: list[int] = []
        self._faults = 0
        self.failure: BaseException | None = None

    def issue(self, samples: Sequence[Any]) -> None:
        """Judge them, and tell LoadGen of each."""
        together, lg = self._asker.together, self._loadgen
        for first in range(0, len(samples), together):
            own = samples[first : first + together]
            try:
                if self.failure is None:
                    self._starts.append(time.perf_counter_ns())
                    faults, times = self._asker.judge([sample.index for sample in own])
                    self._answers.append(times)
                    self._faults += faults
            except BaseException as error:  # raised once LoadGen has ended: it ends the process
                self.failure = error
            lg.QuerySamplesComplete([lg.QuerySampleResponse(sample.id, 0, 0) for sample in own])

    def turn(self, queries: int, figures: LoadGenFigures) -> Turn:
        """Return the latest queries; LoadGen begins some tests with one of its own."""
        times = stacked(self._answers[-queries:])
        starts = np.array(self._starts[-queries:], np.int64)
        wall = int(starts[-1] + times[TOTAL][-1] - starts[0])
        busy = int(times[TOTAL].sum())
        return Turn(times, starts, wall, self._faults, busy_ns=busy, loadgen=figures)


def figures_of(summary: str) -> LoadGenFigures:
    """Read LoadGen's own figures from its summary.

    Raises:
        EquipmentError: they are not there.
    """
    rate, p90 = _RATE.search(summary), _P90.search(summary)
    if p90 is None:
        raise EquipmentError(
            "the summary of LoadGen has no 90th percentile",
            hint=f"use another version of {DISTRIBUTION}",
        )
    return LoadGenFigures(
        version=importlib.metadata.version(DISTRIBUTION),
        p90_ms=None if rate else round(int(p90[1]) / 1e6, 6),
        samples_per_s=float(rate[1]) if rate else None,
    )


def joined(figures: Sequence[LoadGenFigures]) -> LoadGenFigures:
    """Return the medians over the turns."""

    def median(name: str) -> float | None:
        values = [value for one in figures if (value := getattr(one, name)) is not None]
        return round(float(np.median(values)), 6) if values else None

    return LoadGenFigures(
        version=figures[0].version,
        p90_ms=median("p90_ms"),
        samples_per_s=median("samples_per_s"),
    )


def _module() -> Any:
    try:
        return importlib.import_module("mlperf_loadgen")
    except ImportError as error:
        raise InputError(
            "the driver LoadGen is not installed",
            hint="pip install 'edgecl[loadgen]', or omit --driver",
        ) from error


def _nothing(*given: object) -> None:
    """Do nothing where LoadGen wants to be told."""
