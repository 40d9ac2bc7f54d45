"""The budget of `edgecl bench`: its options, and the advice at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from edgecl.cli.options import Parsed, option_group
from edgecl.cli.run.checks import check_budget

if TYPE_CHECKING:
    from runtime.benchmark import LatencyReport
    from runtime.stream.budget import Budget

_MAX_DROP = 0.5

_OPTIONS = (
    click.option(
        "--budget",
        type=Parsed("budget", check_budget, prefix=""),
        metavar="STEP=TIME,...",
        help="Time limits per step, e.g. total=20ms. Ends with the cheapest side that keeps them "
        "at p99.9, with one thread and with one per core unless --threads is given; with none, "
        "the exit code is 1.",
    ),
    click.option(
        "--max-drop",
        type=click.FloatRange(0, 100),
        default=_MAX_DROP,
        show_default=True,
        help="Accuracy that --budget gives up at most, in percentage points below the best side.",
    ),
)


budget_options = option_group(*_OPTIONS)
"""Decorator with the options of `edgecl bench` about a budget."""


def compared_threads(threads: int | None, budget: Budget | None) -> tuple[int, ...]:
    """Return the numbers of threads that sides differ in; none without a budget."""
    from runtime.session.opening import default_threads

    if budget is None or threads is not None or default_threads() == 1:
        return ()
    return (1, default_threads())


def with_advice(report: LatencyReport, budget: Budget | None, max_drop: float) -> LatencyReport:
    """Return the report with advice, where there is a budget.

    Args:
        max_drop: percentage points.
    """
    from msgspec.structs import replace

    from runtime.benchmark.advisor import advise

    if budget is None:
        return report
    advice = advise(report, budget, allowed_loss=max_drop / 100)
    return replace(report, advice=advice)


def print_advice(report: LatencyReport) -> None:
    """Print what to take, and why not the others."""
    from edgecl.reporting.pages.bench.choice import advised_command

    advice = report.advice
    if advice is None:
        return
    console = Console(highlight=False)
    for side in advice.options:
        if side.standing != "meets":
            console.print(Text(f"{side.standing}: {side.label}: {side.reason}"), soft_wrap=True)
    console.print(Text(f"advice: {advice.conclusion}"), soft_wrap=True)
    if command := advised_command(report):
        console.print(Text(f"run it: {command}"), soft_wrap=True)


def failed(report: LatencyReport) -> bool:
    """Whether no side keeps the budget."""
    return report.advice is not None and not report.advice.chosen
