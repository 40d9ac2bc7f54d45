"""What `edgecl bench` itself takes per frame, beside the steps that it times.

Of each turn, the time of all queries together less the sum of their steps: reading the clock,
choosing the frame, keeping the times, and what lies between two steps. The goal is 20 µs:

    python benchmarks/harness.py demo/shufflenet.edgecl [--turns 60] [--queries 50] [--json]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.lone_side import open_side, side_parser
from runtime.benchmark.frames import draw_frames
from runtime.benchmark.measuring.in_turn import InTurn
from runtime.benchmark.sides import TOTAL, Side
from runtime.errors import EdgeclError
from runtime.machine import read_cpu
from runtime.statistics import quantile_interval

TOGETHER = {"single-stream": 1, "multi-stream, 4": 4, "offline, 16": 16}


def main() -> None:
    """Measure each way of asking, and print microseconds per frame."""
    parser = side_parser(__doc__)
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--queries", type=int, default=50)
    asked = parser.parse_args()
    try:
        side = open_side(asked)
        rows = measure(side, asked.turns, asked.queries)
    except EdgeclError as error:
        parser.exit(2, f"{error}\n")
    if asked.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{side.plan.label}, {asked.threads} thread(s), {read_cpu()['model']}")
    for row in rows:
        low, high = row["interval"] or (float("nan"), float("nan"))
        print(
            f"{row['scenario']}: {row['us']:.2f} us per frame (95 %: {low:.2f} to {high:.2f}), "
            f"{row['share']:.3%} of a frame's {row['frame_ms']:.3f} ms"
        )


def measure(side: Side, turns: int, queries: int) -> list[dict[str, Any]]:
    """Return a row per way of asking, medians over the turns.

    Args:
        side: open; it is closed here.
    """
    rows: list[dict[str, Any]] = []
    try:
        frames = side.delivered(draw_frames(256, 1600, seed=0))
        for name, together in TOGETHER.items():
            asker = InTurn(side, frames, together)
            count = max(1, queries // together)
            asker.ask(count, 0)  # warm
            taken = [asker.ask(count, number) for number in range(turns)]
            own = [(turn.harness_ns or 0) / (count * together) / 1e3 for turn in taken]
            frame_ms = float(np.median([turn.times[TOTAL] for turn in taken])) / together / 1e6
            us = float(np.median(own))
            rows.append(
                {
                    "scenario": name,
                    "us": us,
                    "interval": quantile_interval(np.sort(own), 0.5),
                    "frame_ms": frame_ms,
                    "share": us / 1e3 / frame_ms,
                }
            )
    finally:
        side.close()
    return rows


if __name__ == "__main__":
    main()
