"""edgecl's own single-stream and MLCommons' LoadGen on one session, in turns within one run.

Each round gives a p90 of edgecl's queries and LoadGen's own p90 of as many, in an order that is
drawn anew; their ratio spoils less by other load than the times do. Needs the extra `loadgen`:

    python benchmarks/loadgen.py demo/shufflenet.edgecl [--rounds 40] [--queries 100] [--json]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.lone_side import open_side, side_parser
from benchmarks.script import run_script
from runtime.benchmark.frames import draw_frames
from runtime.benchmark.measuring.in_turn import InTurn
from runtime.benchmark.measuring.loadgen import UnderLoadGen
from runtime.benchmark.measuring.turn import Turn
from runtime.benchmark.scenario import turns_of_rounds
from runtime.benchmark.sides import TOTAL, Side
from runtime.errors import EdgeclError
from runtime.machine import read_cpu
from runtime.statistics import quantile, quantile_interval


def main() -> None:
    """Measure, and print the ratio of both p90."""
    parser = side_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--queries", type=int, default=100)
    asked = parser.parse_args()
    try:
        side = open_side(asked)
        found = compare(side, asked.rounds, asked.queries)
    except EdgeclError as error:
        parser.exit(2, f"{error}\n")
    found |= {"side": side.plan.label, "cpu": read_cpu()["model"], "threads": asked.threads}
    if asked.json:
        print(json.dumps(found, indent=2))
        return
    low, high = found["interval"] or (float("nan"), float("nan"))
    print(f"{found['side']}, {asked.threads} thread(s), {found['cpu']}")
    print(f"{asked.rounds} rounds of {asked.queries} queries each, LoadGen {found['loadgen']}")
    print("p90, median of the rounds:")
    print(f"  edgecl {found['own_ms']:.3f} ms, LoadGen {found['p90_ms']:.3f} ms")
    print(f"edgecl / LoadGen: {found['ratio']:.4f} (95 %: {low:.4f} to {high:.4f})")


def compare(side: Side, rounds: int, queries: int) -> dict[str, Any]:
    """Return both p90 in milliseconds, as medians of the rounds, and the median of their ratios.

    Args:
        side: open; it is closed here.
    """
    frames = side.delivered(draw_frames(256, 1600, seed=0))
    askers = (InTurn(side, frames), UnderLoadGen(side, frames, "single-stream", 1))
    taken: list[list[Turn]] = [[], []]
    try:
        for asker in askers:
            asker.ask(queries, 0)  # warm
        orders = turns_of_rounds(len(askers), seed=0)
        for number in range(rounds):
            for index in next(orders):
                askers[index].settle()
                taken[index].append(askers[index].ask(queries, number))
    finally:
        side.close()
    own = np.array([quantile(np.sort(turn.times[TOTAL]), 0.9) / 1e6 for turn in taken[0]])
    theirs = np.array([turn.loadgen.p90_ms for turn in taken[1] if turn.loadgen is not None])
    ratios = np.sort(own / theirs)
    first = taken[1][0].loadgen
    return {
        "own_ms": float(np.median(own)),
        "p90_ms": float(np.median(theirs)),
        "ratio": float(np.median(ratios)),
        "interval": quantile_interval(ratios, 0.5),
        "loadgen": first.version if first is not None else "",
    }


if __name__ == "__main__":
    run_script(main)
