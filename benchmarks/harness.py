"""What `edgecl bench` itself takes per frame, beside the steps that it times.

Of each turn, the time of all queries together less the sum of their steps: reading the clock,
choosing the frame, keeping the times, and what lies between two steps. The goal is 20 µs. Of
frames that come on a schedule, how late they are brought: of `server` where one waits already,
which is the benchmark's own work, and else after a sleep, which is the operating system's wake-up
as well:

    python benchmarks/harness.py demo/shufflenet.edgecl [--turns 60] [--queries 50] [--json]
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.lone_side import open_side, side_parser
from benchmarks.script import run_script
from runtime.benchmark.frames import draw_frames
from runtime.benchmark.measuring.cadence import AtCadence
from runtime.benchmark.measuring.in_turn import AtRandom, InTurn
from runtime.benchmark.measuring.turn import Turn
from runtime.benchmark.sides import TOTAL, Side
from runtime.errors import EdgeclError
from runtime.machine import read_cpu
from runtime.statistics import quantile_interval

BUSY = 0.5
"""Share of the time in which a side with a schedule judges."""

TOGETHER = {"single-stream": 1, "multi-stream, 4": 4, "offline, 16": 16}


def main() -> None:
    """Measure each way of asking, and print microseconds per frame."""
    parser = side_parser(__doc__)
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--queries", type=int, default=50)
    asked = parser.parse_args()
    try:
        side = open_side(asked)
        try:
            rows = measure(side, asked.turns, asked.queries)
            rows += measure_scheduled(side, asked.turns, asked.queries)
        finally:
            side.close()
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
            f"{row['share']:.3%} of a frame's {row['frame_ms']:.3f} ms, {row['turns']} turns"
        )


def measure(side: Side, turns: int, queries: int) -> list[dict[str, Any]]:
    """Return a row per way of asking, medians over the turns.

    Args:
        side: open.
    """
    rows: list[dict[str, Any]] = []
    frames = side.delivered(draw_frames(256, 1600, seed=0))
    for name, together in TOGETHER.items():
        asker = InTurn(side, frames, together)
        count = max(1, queries // together)
        asker.ask(count, 0)  # warm
        taken = [asker.ask(count, number) for number in range(turns)]
        own = [(turn.harness_ns or 0) / (count * together) for turn in taken]
        rows.append(_row(name, own, _frame_ms(taken) / together))
    return rows


def measure_scheduled(side: Side, turns: int, queries: int) -> list[dict[str, Any]]:
    """Return how late frames of a schedule are brought, medians over the turns.

    Frames come so often that the side is busy for half of the time.

    Args:
        side: open.
    """
    frames = side.delivered(draw_frames(256, 1600, seed=0))
    frame_ms = _frame_ms([InTurn(side, frames).ask(queries, 0)])
    rate = BUSY * 1e3 / frame_ms
    served = AtRandom(side, frames, rate, seed=0)
    found = [waited_for(served.ask(queries, number)) for number in range(turns)]
    rows = [
        _row(f"server, {name}", [float(np.median(own)) for own in parts if own.size], frame_ms)
        for name, parts in zip(
            ("a frame waits", "after a sleep"), zip(*found, strict=True), strict=True
        )
    ]
    with tempfile.TemporaryDirectory(prefix="edgecl-harness-") as folder:
        line = AtCadence(side, frames, rate, Path(folder) / "verdicts.jsonl")
        try:
            taken = [line.ask(queries, number) for number in range(turns)]
        finally:
            line.close()
    late = [float(np.median(turn.late)) for turn in taken if turn.late is not None]
    return [*rows, _row("cadence, after a sleep", late, frame_ms)]


def waited_for(turn: Turn) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how late frames were brought that came while another was judged, and the others.

    Args:
        turn: of `AtRandom`.

    Returns:
        Nanoseconds, of all frames but the first.
    """
    assert turn.late is not None
    ends = turn.starts + turn.times[TOTAL]
    waits = turn.starts[1:] < ends[:-1]
    return turn.late[1:][waits], turn.late[1:][~waits]


def _frame_ms(taken: Sequence[Turn]) -> float:
    return float(np.median([turn.times[TOTAL] for turn in taken])) / 1e6


def _row(name: str, own_ns: Sequence[float], frame_ms: float) -> dict[str, Any]:
    us = float(np.median(own_ns)) / 1e3 if own_ns else float("nan")
    ends = quantile_interval(np.sort(own_ns), 0.5) if own_ns else None
    return {
        "scenario": name,
        "us": us,
        "interval": ends and (ends[0] / 1e3, ends[1] / 1e3),
        "frame_ms": frame_ms,
        "share": us / 1e3 / frame_ms,
        "turns": len(own_ns),
    }


if __name__ == "__main__":
    run_script(main)
