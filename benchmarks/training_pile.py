"""Pretraining on piles of unlabelled images: memory, time, and how often files are opened.

One epoch of SimCLR on small tiles, beside the built-in labelled surfaces, each in a process of its
own with one thread:

    python benchmarks/training_pile.py [--images 1000 10000 100000] [--broken 0.3]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.piles import draw_pile
from benchmarks.script import run_script
from edgecl.learning.config import TrainConfig
from edgecl.learning.recipes import LINE, RECIPES
from edgecl.learning.runner import pretrain_run
from runtime.artifact.tiling import TILES

TILE = (32, 32)
BATCH = 256


def main() -> None:
    """Draw, pretrain and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--broken", type=float, default=0.0, help="share of files cut in half")
    parser.add_argument("--child", nargs=2, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        _pretrain(*arguments.child)
        return
    print(f"{'images':>8} {'seconds':>8} {'MiB':>6} {'opened':>8} {'again':>11} {'used':>8}")
    for count in arguments.images:
        with tempfile.TemporaryDirectory() as place:
            pile = Path(place) / "pile"
            draw_pile(pile, count)
            _cut(pile, arguments.broken)
            start = time.perf_counter()
            found = subprocess.run(
                [sys.executable, __file__, "--child", pile, Path(place) / "run"],
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            ).stdout.split()
            seconds = time.perf_counter() - start
        peak, opened, again, used = map(int, found)
        print(f"{count:8} {seconds:8.0f} {peak >> 20:6} {opened:8} {again:11} {used:8}", flush=True)


def _cut(pile: Path, share: float) -> None:
    """Cut some of the files in half."""
    files = sorted(pile.rglob("*.jpg"))
    for path in files[: round(share * len(files))]:
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])


def _pretrain(pile: Path, run: Path) -> None:
    """Pretrain, and print bytes at the peak, files opened once and again, and images used."""
    opened: Counter[str] = Counter()

    def listen(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and str(arguments[0]).endswith(".jpg"):
            opened[str(arguments[0])] += 1

    sys.addaudithook(listen)
    config = replace(
        TrainConfig(),
        **{**RECIPES[LINE], "geometry": TILES},
        method="simclr",
        unlabelled=(str(pile),),
    )
    config = replace(
        config,
        image_size=TILE,
        pretrain_batch_size=BATCH,
        pretrain_epochs=1,
        pretrain_only=True,
        pretrain_on="unlabelled",
    )
    facts = pretrain_run(config, run, report=lambda *_: None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    again = sum(times > 1 for times in opened.values())
    print(peak, len(opened), again, facts.images)


if __name__ == "__main__":
    run_script(main)
