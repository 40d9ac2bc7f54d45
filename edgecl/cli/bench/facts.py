"""The part of `edgecl bench` beside its times: what else it measures, and the options for it."""

from __future__ import annotations

import importlib.util
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.options import FOLDER, option_group
from edgecl.cli.verb import ARGUMENTS
from runtime.progress import NotedProgress
from runtime.secrets import redact

if TYPE_CHECKING:
    from runtime.benchmark import LatencyReport, Scenario
    from runtime.benchmark.layers import GraphCosts
    from runtime.session.built import EngineFor

_OPTIONS = (
    click.option(
        "--layers",
        is_flag=True,
        help="Time every layer too, by each engine's own profiler, after the latency.",
    ),
    click.option(
        "--rivals",
        "runs",
        type=FOLDER,
        multiple=True,
        metavar="RUN",
        help="Measure the network of this run in torch, torch.compile and as OpenVINO's NNCF "
        "quantises it, beside the bundle that was exported from it. Repeatable.",
    ),
    click.option(
        "--markdown", is_flag=True, help="Print the table as Markdown, for a pull request."
    ),
    click.option(
        "--export-times",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write the raw times in the form of trtexec --exportTimes too; a file per side.",
    ),
)


report_options = option_group(*_OPTIONS)
"""Decorator with the options of `edgecl bench` about what is reported."""


def command_line(ctx: click.Context) -> str:
    """The command as it was given, to repeat the measurement, without passwords."""
    return redact(shlex.join(["edgecl", "bench", *ctx.meta.get(ARGUMENTS, ())]))


def measured_with_facts(
    scenario: Scenario,
    progress: NotedProgress,
    engine_for: EngineFor,
    measure: Callable[[NotedProgress], LatencyReport],
    *,
    layers: bool,
    command: str,
) -> LatencyReport:
    """Measure while the machine is watched, then what does not go beside times.

    Args:
        scenario: what is measured.
        progress: told of both.
        engine_for: gives TensorRT's engine.
        measure: takes the times.
        layers: whether layers are timed.
        command: that repeats it all.
    """
    from runtime.benchmark.afterwards import Afterwards, add_facts
    from runtime.benchmark.conditions import ConditionWatch

    watch = ConditionWatch()
    with watch.watching():
        report = measure(watch.beside(progress))
    return add_facts(
        report,
        scenario,
        conditions=watch.finish(),
        wanted=Afterwards(layers=layers, costs=_costs() if layers else None, engine_for=engine_for),
        progress=progress,
        command=command,
    )


def with_rivals(scenario: Scenario, runs: Sequence[Path]) -> Scenario:
    """Return the scenario with further sides, of the runs that its bundles were exported from.

    Raises:
        InputError: a run is not finished, or no bundle was exported from it.
    """
    from edgecl.rivals.sides import rival_plans

    return replace(scenario, rivals=rival_plans(runs, scenario.plans()))


def _costs() -> GraphCosts | None:
    """The reader of graphs' work; None without onnx."""
    if importlib.util.find_spec("onnx") is None:
        return None
    from export.graph_costs import graph_costs

    return graph_costs
