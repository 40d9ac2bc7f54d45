"""Compare the latency of two bundles: python examples/compare_latency.py FIRST SECOND.

Measures them in turns, and prints how much faster the second one is, and whether to believe it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import edgecl
from runtime.benchmark import LatencyReport, Scenario, run_benchmark


def compare(first: Path, second: Path, *, frames: int = 400) -> LatencyReport:
    """Measure both bundles in the precision that they share first, on onnxruntime.

    Returns:
        The latency report; its sides are in the order of the arguments.

    Raises:
        edgecl.InputError: a bundle cannot be used, or they share no precision.
    """
    held = [list(edgecl.load_bundle(path).precisions) for path in (first, second)]
    shared = [name for name in ("int8", "fp16", "fp32") if all(name in names for names in held)]
    if not shared:
        raise edgecl.InputError(f"{first} and {second} share no precision", hint="export both anew")
    return run_benchmark(
        Scenario((first, second), precisions=shared[:1], engines=("onnxruntime",), frames=frames)
    )


def print_comparison(report: LatencyReport) -> None:
    """Print a line per side, and what keeps the measurement from being valid."""
    for side in report.sides:
        median = side.steps["total"].p50_ms
        p50 = "too few frames" if median is None else f"p50 {median:.2f} ms"
        print(
            f"{side.label}: {p50}, {side.ratio.median:.2f} of the first, "
            f"{'VALID' if side.valid else 'INVALID'}"
        )
    for finding in report.findings:
        print(f"{finding.text}; try: {finding.hint}")


def main() -> None:
    """Parse the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--frames", type=int, default=400)
    arguments = parser.parse_args()
    try:
        report = compare(arguments.first, arguments.second, frames=arguments.frames)
    except edgecl.InputError as error:
        parser.exit(2, f"{error}\n")
    print_comparison(report)


if __name__ == "__main__":
    main()
