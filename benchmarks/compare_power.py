"""What `edgecl compare` calls a difference: of reports of the same thing, and of a real slowdown.

Two copies of one bundle are benched together, `old` and `new`, each report in a process of its own.
In half of the reports, in turns with the others, every frame of one side of `new` takes 5 % more
work: its inference ends with a loop that takes so much processor time. The first table counts the
pairs of unchanged reports that are called different, the second the slowed runs that are found
slower. A report that is in --out already is not measured again: an interrupted run goes on.

    python benchmarks/compare_power.py --model line.edgecl --out power [--reports 10] [--minutes 2]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from numpy.typing import NDArray

from benchmarks.script import run_script
from runtime.benchmark import Scenario, read_report, run_benchmark, sides, write_report
from runtime.benchmark.comparison import Figure, LatencyComparison, compare_reports, compare_sides
from runtime.session import opening

OLD, NEW = "old", "new"
PILOT_FRAMES = 300


def main() -> None:
    """Measure what is not there yet, then compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", type=Path, required=True, help="bundle that is both sides")
    parser.add_argument("--out", type=Path, required=True, help="folder of the reports")
    parser.add_argument("--reports", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=2.0, help="per report")
    parser.add_argument("--slower", type=float, default=0.05, help="share of a frame's time")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--engines", default="openvino,onnxruntime", help="the first is slowed")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--spin", type=float, default=0.0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one is not None:
        _measure(arguments)
        return
    for number in range(1, arguments.reports + 1):
        for kind, spin in (("same", 0.0), ("slowed", arguments.slower)):
            path = arguments.out / f"{kind}-{number:02}.json"
            if path.exists():
                continue
            started = time.monotonic()
            subprocess.run(
                [sys.executable, __file__, *sys.argv[1:], "--one", str(path), "--spin", str(spin)],
                check=True,
            )
            load = os.getloadavg()[0]
            print(f"{path.name}: {time.monotonic() - started:.0f} s, load {load:.1f}", flush=True)
    conclude(arguments.out)


def _measure(arguments: argparse.Namespace) -> None:
    """Write one report, of as many frames as fit into the minutes."""
    bundles = [arguments.out / name / arguments.model.name for name in (OLD, NEW)]
    for bundle in bundles:
        if not bundle.exists():
            shutil.copytree(arguments.model, bundle)
    engines = arguments.engines.split(",")
    if arguments.spin:
        slow_down(bundles[1], engines[0], arguments.spin)
    choices: dict[str, Any] = {
        "bundles": bundles,
        "precisions": (arguments.precision,),
        "engines": engines,
        "threads": arguments.threads,
    }
    pilot = run_benchmark(Scenario(**choices, frames=PILOT_FRAMES))
    per_frame = pilot.environment.wall_s / PILOT_FRAMES
    frames = max(PILOT_FRAMES, round(60 * arguments.minutes / per_frame))
    write_report(run_benchmark(Scenario(**choices, frames=frames)), arguments.one)


def conclude(out: Path) -> None:
    """Compare the reports that are in a folder, and print what was called."""
    same, slowed = (
        [(path, read_report(path)) for path in sorted(out.glob(f"{kind}-*.json"))]
        for kind in ("same", "slowed")
    )
    pairs = list(combinations(same, 2))
    print(f"\n{len(same)} reports of the same thing, {len(pairs)} pairs")
    _count(compare_reports(one[1], two[1], paths=(one[0], two[0])) for one, two in pairs)
    print(f"\n{len(slowed)} runs with a slowed side, each against the unchanged report before it")
    _count(
        compare_reports(one[1], two[1], paths=(one[0], two[0]))
        for one in same
        for two in slowed
        if one[0].name.removeprefix("same") == two[0].name.removeprefix("slowed")
    )
    print(f"\nthe same {len(slowed)} runs, the sides of one bundle against those of the other")
    _count(compare_sides(report, path=path) for path, report in slowed)


def _count(comparisons: Iterable[LatencyComparison]) -> None:
    """Print the verdicts on each side, the ratios, and the half width of the intervals."""
    figures: dict[str, list[Figure]] = {}
    for comparison in comparisons:
        for side in comparison.sides:
            against = f" against {side.against}" if side.against else ""
            figures.setdefault(f"{side.new}{against}", []).append(side.headline)
    for name, found in figures.items():
        verdicts = ", ".join(
            f"{count} {verdict}" for verdict, count in Counter(one.verdict for one in found).items()
        )
        ratios = [one.ratio for one in found]
        widths = [one.smallest_shown for one in found if one.smallest_shown is not None]
        width = f"; ±{statistics.median(widths):.1%} (median)" if widths else ""
        print(
            f"  {name}: {verdicts}; ratio {statistics.median(ratios):.3f} "
            f"({min(ratios):.3f} to {max(ratios):.3f}){width}"
        )


def slow_down(bundle: Path, engine: str, share: float) -> None:
    """Let each frame of one side of this process take longer.

    What is added is work: it takes processor time, and no less of it where others interrupt.

    Args:
        bundle: of the side.
        engine: likewise.
        share: by how much, of the processor time from the frame to the end of its inference.
    """
    open_session, judge = opening.open_session, sides.Side.judge
    began_ns: tuple[int, int] | None = None

    def timed(side: sides.Side, frame: NDArray[np.generic]) -> tuple[str, dict[str, int]]:
        nonlocal began_ns
        began_ns = time.perf_counter_ns(), time.process_time_ns()
        try:
            return judge(side, frame)
        finally:
            began_ns = None

    def opened(source: Any, *rest: Any, **options: Any) -> Any:
        session: Any = open_session(source, *rest, **options)
        path: Path = getattr(source, "path", source)
        if options["engine"] == engine and path.resolve() == bundle.resolve():
            infer: Callable[..., Any] = session.infer

            def slowed(batch: NDArray[np.uint8]) -> Any:
                outputs = infer(batch)
                if began_ns is not None:
                    wall_ns = time.perf_counter_ns() - began_ns[0]
                    now_ns = time.process_time_ns()
                    until = now_ns + share * min(wall_ns, now_ns - began_ns[1])
                    while time.process_time_ns() < until:
                        pass
                return outputs

            session.infer = slowed
        return session

    # Where the benchmark looks them up.
    setattr(sides, "open_session", opened)  # noqa: B010
    setattr(sides.Side, "judge", timed)  # noqa: B010


if __name__ == "__main__":
    run_script(main)
