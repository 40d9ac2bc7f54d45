"""Measurements after the times, and never beside them: the machine's peaks, layers, energy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from runtime.artifact.bundle import artefact_name
from runtime.benchmark.conditions.document import Conditions, SideEnergy
from runtime.benchmark.conditions.energy import (
    Meter,
    NvmlMeter,
    RaplMeter,
    TegraMeter,
    measure_energy,
)
from runtime.benchmark.conditions.jetson import TegraStats
from runtime.benchmark.conditions.judging import with_conditions
from runtime.benchmark.conditions.nvml import Nvml
from runtime.benchmark.document import LatencyReport, SideReport
from runtime.benchmark.frames import draw_frames
from runtime.benchmark.layers.document import LayerTable
from runtime.benchmark.layers.measuring import GraphCosts, time_layers
from runtime.benchmark.peaks.measuring import measure_peaks
from runtime.benchmark.planning import Plan
from runtime.benchmark.scenario import Scenario
from runtime.benchmark.sides import Side
from runtime.progress import NotedProgress
from runtime.session.base import batch_sizes
from runtime.session.opening import EngineFor
from runtime.session.spec import CPU, ENGINES, GPU


@dataclass(frozen=True)
class Afterwards:
    """The measurements that are asked for beside the times.

    Args:
        layers: whether layers are timed.
        costs: reads the work of a graph's nodes; None where onnx is not installed.
        engine_for: gives TensorRT's engine of a bundle.
    """

    layers: bool = False
    costs: GraphCosts | None = None
    engine_for: EngineFor | None = None


def add_facts(
    report: LatencyReport,
    scenario: Scenario,
    *,
    conditions: Conditions | None = None,
    wanted: Afterwards | None = None,
    progress: NotedProgress | None = None,
    command: str = "",
) -> LatencyReport:
    """Return the report with what stands beside its times.

    Args:
        report: of `run_benchmark`.
        scenario: the same.
        conditions: of the machine while it measured.
        wanted: what else is measured now.
        progress: told before each part.
        command: that repeats the measurement.
    """
    wanted = wanted or Afterwards()
    tell = progress or (lambda done, total, what: None)
    usual = report.scenario.threads
    plans = {plan.label: plan for plan in scenario.plans()}
    total = len(report.sides) + 1
    tell(0, total, "peaks of this machine")
    on_cpu = any(
        plans[side.label].device == CPU and not plans[side.label].remote
        for side in report.sides
        if side.label in plans
    )
    peaks = measure_peaks(usual) if on_cpu else None
    sides = []
    with _meters() as meters:
        for number, side in enumerate(report.sides, start=1):
            plan = plans.get(side.label)
            tell(number, total, f"layers and energy of {side.label}")
            if plan is not None and not plan.rival:
                side = _with_escapes(side, plan)
            if plan is not None and not plan.remote:
                threads = plan.threads or usual
                meter = meters.get(plan.device)
                energy = _energy(plan, scenario, threads, meter, wanted) if meter else None
                profiled = wanted.layers and not plan.rival
                layers = _layers(plan, side, threads, wanted) if profiled else None
                side = replace(side, energy=energy, layers=layers)
            sides.append(side)
    tell(total, total, "peaks, layers and energy")
    found = replace(report, sides=tuple(sides), peaks=peaks, command=command)
    return with_conditions(found, conditions)


def _with_escapes(side: SideReport, plan: Plan) -> SideReport:
    """Add the share of defects that this precision lets through, where the gate measured it."""
    if plan.bundle is None:
        return side
    gate = plan.bundle.manifest.gate
    form = ENGINES[plan.engine].form
    names = [f"{plan.precision}-openvino"] if form == "openvino" else []
    names.append(artefact_name(plan.precision, form))
    measured = next((gate.comparisons[name] for name in names if name in gate.comparisons), None)
    if measured is None:
        return side
    return replace(
        side,
        accuracy=replace(
            side.accuracy,
            escape_rate=measured.escape_rate,
            escape_interval=measured.escape_interval,
        ),
    )


def _layers(plan: Plan, side: SideReport, threads: int, wanted: Afterwards) -> LayerTable:
    spec = ENGINES[plan.engine]
    graph: Path | None = plan.path  # of a lone file
    path = plan.path
    if plan.bundle is not None:
        graph = path = plan.bundle.onnx_path(plan.precision, target=spec.form)
        if spec.built and wanted.engine_for is not None:
            path = wanted.engine_for(plan.bundle, plan.precision)
    elif spec.built:
        graph = None
    return time_layers(
        plan.engine,
        path,
        _batch(side, _largest(plan, path, threads) if side.tiles else 1),
        threads=threads,
        graph=graph,
        costs=wanted.costs,
    )


def _largest(plan: Plan, path: Path, threads: int) -> int:
    with ENGINES[plan.engine].open(path, precision=plan.precision, threads=threads) as session:
        return session.batches[1]


def _batch(side: SideReport, largest: int) -> NDArray[np.uint8]:
    """One batch as the side runs them: an image, or the first tiles of a frame."""
    height, width = side.input[-2:]
    count = batch_sizes(side.tiles, largest)[0] if side.tiles else 1
    drawn = draw_frames(height, width, seed=0, count=count)
    return np.stack(drawn)[:, None]


def _energy(
    plan: Plan, scenario: Scenario, threads: int, meter: Meter, wanted: Afterwards
) -> SideEnergy | None:
    side = Side(plan, threads=threads, engine_for=wanted.engine_for)
    try:
        frames = side.delivered(draw_frames(*scenario.frame_size, seed=scenario.seed))
        turns = _forever(len(frames))
        return measure_energy(lambda: side.judge(frames[next(turns)]), meter)
    finally:
        side.close()


def _forever(count: int) -> Iterator[int]:
    while True:
        yield from range(count)


@contextmanager
def _meters() -> Iterator[Mapping[str, Meter]]:
    """The meter of each device: a Jetson's input for both, else one of their own."""
    with ExitStack() as stack:
        if _is_jetson():
            meter = TegraMeter()
            yield {CPU: meter, GPU: meter}
            return
        found: dict[str, Meter] = {}
        rapl = RaplMeter()
        if rapl.there:
            found[CPU] = rapl
        nvml = Nvml.open()
        if nvml is not None:
            stack.callback(nvml.close)
            if nvml.joules() is not None:
                found[GPU] = NvmlMeter(nvml)
        yield found


def _is_jetson(open_stats: Callable[[], TegraStats | None] = TegraStats.start) -> bool:
    stats = open_stats()
    if stats is None:
        return False
    stats.stop()
    return True
