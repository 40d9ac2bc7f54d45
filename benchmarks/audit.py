"""The audit of piles of images: time, peak memory, overlaps found and strangers joined.

Drawn piles of each size are audited by `edgecl audit` in a process of its own, with one thread:

    python benchmarks/audit.py [--images 1000 10000 100000] [--kind rough]
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.piles import KINDS, draw_pile
from benchmarks.script import run_script

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Draw, audit and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--kind", choices=KINDS, default="rough")
    arguments = parser.parse_args()
    print(
        f"{'images':>8} {'seconds':>8} {'CPU s':>6} {'MiB':>6} {'found':>12} "
        f"{'strangers joined':>17}"
    )
    for count in arguments.images:
        with tempfile.TemporaryDirectory() as place:
            folder, table = Path(place) / "pile", Path(place) / "groups.csv"
            strips = draw_pile(folder, count, kind=arguments.kind)
            seconds, busy, peak = _audit(folder, table)
            found, known, wrong = _compare(table, strips)
        shown = f"{found}/{known}"
        print(
            f"{count:8} {seconds:8.0f} {busy:6.0f} {peak / 2**20:6.0f} {shown:>12} {wrong:17}",
            flush=True,
        )


def _audit(folder: Path, table: Path) -> tuple[float, float, int]:
    """Return seconds, those in which it computed, and bytes of memory at the peak."""
    command = [sys.executable, "-m", "edgecl", "audit", str(folder), "--out", str(table)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("the audit failed")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10


def _compare(table: Path, strips: list[list[str]]) -> tuple[int, int, int]:
    """Return pairs of one strip that were found, all of them, and images joined to strangers."""
    with open(table, newline="", encoding="utf-8") as stream:
        group = {row["file"]: row["group"] for row in csv.DictReader(stream)}
    pairs = [pair for strip in strips for pair in itertools.combinations(strip, 2)]
    found = sum(group[one] == group[other] for one, other in pairs)
    shares = {(group[name], number) for number, strip in enumerate(strips) for name in strip}
    strips_of = Counter(name for name, _ in shares)
    wrong = sum(strips_of[group[name]] > 1 for strip in strips for name in strip)
    return found, len(pairs), wrong


if __name__ == "__main__":
    run_script(main)
