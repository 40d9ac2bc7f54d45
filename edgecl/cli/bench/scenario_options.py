"""The scenario of `edgecl bench`: its options."""

from __future__ import annotations

import click

from edgecl.cli.options import ImageSize, Parsed, option_group

# Written out, as the defaults below: help does not wait for NumPy.
SCENARIOS = ("single-stream", "multi-stream", "server", "offline", "cadence")


def _bound_ms(text: str) -> float:
    from runtime.benchmark.measuring.arrivals import parse_bound

    return parse_bound(text)


def _cadence_hz(text: str) -> float:
    from runtime.benchmark.measuring.arrivals import parse_cadence

    return parse_cadence(text)


_OPTIONS = (
    click.option(
        "--scenario",
        type=click.Choice(SCENARIOS),
        help="How frames come: one after another; several per query (multi-stream); at random "
        "(server); batch after batch (offline); or at the line's rate, through the pipeline of "
        "edgecl run (cadence).  [default: single-stream; cadence with --cadence]",
    ),
    click.option(
        "--streams",
        type=click.IntRange(1),
        default=4,
        show_default=True,
        help="Frames per query of --scenario multi-stream.",
    ),
    click.option(
        "--batch",
        type=click.IntRange(1),
        default=16,
        show_default=True,
        help="Frames per batch of --scenario offline.",
    ),
    click.option(
        "--rate",
        "rate_hz",
        type=click.FloatRange(0, 100_000, min_open=True),
        metavar="HZ",
        help="Frames that arrive per second, on average, in --scenario server.",
    ),
    click.option(
        "--bound",
        "bound_ms",
        type=Parsed("TIME", _bound_ms, prefix=""),
        help="Latency that is asked for in --scenario server, such as 20ms: the report has the "
        "share of the frames within it.",
    ),
    click.option(
        "--cadence",
        "cadence_hz",
        type=Parsed("RATE", _cadence_hz, prefix=""),
        help="The line's rate, such as 30fps or 33ms.",
    ),
    click.option(
        "--workers",
        "worker_counts",
        type=click.IntRange(1, 64),
        multiple=True,
        help="Frames that are judged at the same time at --cadence, as in edgecl run. Repeatable: "
        "every side is measured with each.  [default: 1]",
    ),
    click.option(
        "--driver",
        type=click.Choice(["edgecl", "loadgen"]),
        default="edgecl",
        show_default=True,
        help="What issues the queries: edgecl, or MLCommons' LoadGen, for single-stream and "
        "offline.",
    ),
    click.option(
        "--frames",
        type=click.IntRange(1),
        default=400,
        show_default=True,
        help="Frames to measure per side; a query of several streams counts once. p99 needs 368, "
        "p99.9 needs 3688.",
    ),
    click.option(
        "--soak",
        "soak_minutes",
        type=click.FloatRange(0, min_open=True),
        metavar="MINUTES",
        help="Measure for so long, until the machine is as hot as it gets, whatever --frames says.",
    ),
    click.option(
        "--warmup",
        type=click.IntRange(0),
        default=30,
        show_default=True,
        help="Least warm-up frames per side, not counted; more follow until the times are stable.",
    ),
    click.option(
        "--frame-size",
        type=ImageSize(),
        default="256x1600",
        show_default=True,
        help="Size of the camera's frames.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Random seed of the frames and of the order of turns.",
    ),
)


scenario_options = option_group(*_OPTIONS)
"""Decorator with the options of `edgecl bench` about how frames come, and how many."""
