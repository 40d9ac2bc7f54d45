"""One side of a benchmark, as a script's command line names it."""

from __future__ import annotations

import argparse
from pathlib import Path

from runtime.benchmark.planning import plan_sides
from runtime.benchmark.sides import Side


def side_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with what names a side, and with `--json`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("model", type=Path)
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--engine", default="onnxruntime")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    return parser


def open_side(asked: argparse.Namespace) -> Side:
    """Open the side that was named.

    Raises:
        InputError: see `plan_sides` and `Side`.
    """
    plan = plan_sides([asked.model], [asked.precision], [asked.engine])[0]
    return Side(plan, threads=asked.threads)
