"""Accuracy on strips of drawn steel that no model saw, and by how much of a frame is defect.

`edgecl demo` judges one strip with about ten defects, so its figure moves by several points from
strip to strip. This judges several, each drawn from a seed of its own.

    python benchmarks/strips.py BUNDLE [BUNDLE ...] [--strips 12] [--frames 900]
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.script import run_script
from runtime.camera.demo import DemoCamera, draw_loop
from runtime.image.preprocess import Preprocessor
from runtime.session import Session, open_session
from runtime.session.tiles import image_answer, infer_tiles

SHAPE = (256, 256)
ADVANCE = 8
"""Columns from one frame to the next, as in the demo."""
FIRST_SEED = 1000
SHARES = ("none", "below 30 %", "30 to 60 %", "60 to 99 %", "all")
DRAWS = 10_000


@dataclass(frozen=True)
class Judged:
    """One frame of a strip.

    Args:
        share: of the frame that is defect, one of `SHARES`.
        right: whether the answer is the label of the strip there.
    """

    share: str
    right: bool


def judge_strip(session: Session, seed: int, frames: int) -> Iterator[Judged]:
    """Judge a strip as a camera sees it run by, without its clock."""
    preprocess = Preprocessor(session.contract.input, view=session.view)
    strip = draw_loop(SHAPE, np.random.default_rng(seed))  # the one that the camera draws
    width = SHAPE[1]
    with DemoCamera(SHAPE, advance=ADVANCE, fps=None, frames=frames, seed=seed) as camera:
        for frame in iter(camera.read, None):
            start = frame.number * ADVANCE % (strip.length - width)
            assert frame.pixels is not None
            assert strip.label(start, width) == frame.truth
            outputs, _ = infer_tiles(session, preprocess.prepare(frame.pixels))
            best = int(image_answer(outputs, session.contract).probabilities.argmax())
            label = session.contract.labels[best]
            yield Judged(range_of(strip.defect_share(start, width)), label == frame.truth)


def range_of(share: float) -> str:
    """Name the range that a share of defect, 0 to 1, falls in."""
    if share == 0:
        return SHARES[0]
    return SHARES[1 + sum(share >= limit for limit in (0.3, 0.6, 1.0))]


def report(bundle: Path, strips: int, frames: int) -> None:
    """Judge the strips with a bundle and print their figures."""
    accuracies, right, count = [], Counter[str](), Counter[str]()
    with open_session(bundle) as session:
        for seed in range(FIRST_SEED, FIRST_SEED + strips):
            judged = list(judge_strip(session, seed, frames))
            accuracies.append(float(np.mean([each.right for each in judged])))
            count.update(each.share for each in judged)
            right.update(each.share for each in judged if each.right)
        print(f"{bundle}: {session.describe()}")
    rng = np.random.default_rng(0)
    means = rng.choice(accuracies, (DRAWS, strips)).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    print(
        f"  {strips} strips of {frames} frames: {np.mean(accuracies):.1%} (95 % interval over "
        f"strips {low:.1%} to {high:.1%}; strips {min(accuracies):.1%} to {max(accuracies):.1%})"
    )
    for share in SHARES:
        if count[share]:
            print(f"  {share:>10} defect: {right[share] / count[share]:.1%} of {count[share]}")


def main() -> None:
    """Parse the command line and report each bundle."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("bundles", nargs="+", type=Path, metavar="BUNDLE")
    parser.add_argument("--strips", type=int, default=12)
    parser.add_argument("--frames", type=int, default=900)
    chosen = parser.parse_args()
    if min(chosen.strips, chosen.frames) < 1:
        parser.error("--strips and --frames start at 1")
    for bundle in chosen.bundles:
        report(bundle, chosen.strips, chosen.frames)


if __name__ == "__main__":
    run_script(main)
