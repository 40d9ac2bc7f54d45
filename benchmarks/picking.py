"""Accuracy with picked labels against as many drawn at random, on a labelled set.

Images are picked from the train part of each grouped fold and named by their true labels; what was
learnt from them is tested on the fold's test part. `at once`: all are picked with no label at hand.
`in rounds`: each number of labels is reached from the one before, whose labels are at hand, as a
user does who labels and picks again. Nothing but the texture descriptor is used:

    python benchmarks/picking.py --data neu_cls [--groups groups.csv] [--seeds 3] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.script import run_script
from edgecl.data.dataset import ImageSet
from edgecl.data.groups import read_groups, with_groups
from edgecl.data.known import neu_groups
from edgecl.data.pixels.tiled import TiledImages
from edgecl.data.reading import read_labelled
from edgecl.learning.evaluation.texture import describe_texture
from edgecl.learning.teachers.classical import (
    FEWEST_TO_DISCRIMINATE,
    answers,
    fit_discriminant,
    fit_regression,
)
from edgecl.picking.choice import choose
from edgecl.picking.pool import Copies
from runtime.artifact.contract import InputContract
from runtime.artifact.tiling import Tiling

FOLDS = 5
COUNTS = (12, 24, 60, 120)
RESAMPLES = 2000
RANDOM, AT_ONCE, IN_ROUNDS = "random", "at once", "in rounds"


@dataclass(frozen=True)
class Row:
    """Accuracy of one way with one number of labels, and its lead over random labels.

    Args:
        low, high: of the lead, 95 % by bootstrap over groups.
        classes: that were among the labels, mean over folds and seeds.
    """

    labels: int
    way: str
    accuracy: float
    classes: float
    lead: float = 0.0
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True)
class Part:
    """Train part of a fold."""

    features: NDArray[np.float32]
    images: TiledImages
    names: Sequence[str]
    seed: int


def pick_rows(part: Part, known: Sequence[int], count: int) -> list[int]:
    """Return the rows of `part` that are picked while `known` ones are labelled."""
    order = np.array([*known, *np.setdiff1d(np.arange(len(part.names)), known)], np.int64)
    copies = Copies(part.images[order], len(known))
    choice = choose(
        [part.features[order]],
        [part.names[row] for row in known],
        labelled=len(known),
        free=copies.free,
        count=count,
        are_copies=copies.among,
        seed=part.seed,
    )
    picked: list[int] = order[choice.rows].tolist()
    return picked


def in_rounds(part: Part, counts: Sequence[int]) -> dict[int, list[int]]:
    """Return what is labelled after each round, by its number of labels."""
    known: list[int] = []
    found = {}
    for count in counts:
        known += pick_rows(part, known, count - len(known))
        found[count] = list(known)
    return found


def right(
    features: NDArray[np.float32],
    targets: NDArray[np.int64],
    known: NDArray[np.int64],
    asked: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Return which of the asked images are named rightly by what was learnt from known ones.

    A linear discriminant learns, or logistic regression where a class is missing or each has so few
    images that a discriminant answers by chance.
    """
    classes = int(targets.max()) + 1
    counts = np.bincount(targets[known], minlength=classes)
    discriminates = counts.min() > 0 and counts.max() >= FEWEST_TO_DISCRIMINATE
    fit = fit_discriminant if discriminates else fit_regression
    model = fit(features[known], targets[known])
    found: NDArray[np.bool_] = answers(model, features[asked], classes).argmax(1) == targets[asked]
    return found


def lead_interval(
    leads: NDArray[np.float64], groups: Sequence[str], seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of a mean by bootstrap over groups.

    Args:
        leads: float64, N, of each image.
        groups: N names.
    """
    numbers = np.unique(np.asarray(groups), return_inverse=True)[1]
    sums, sizes = np.bincount(numbers, leads), np.bincount(numbers)
    drawn = np.random.default_rng(seed).integers(0, len(sums), (RESAMPLES, len(sums)))
    means = sums[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def compare(
    dataset: ImageSet,
    images: TiledImages,
    features: NDArray[np.float32],
    *,
    counts: Sequence[int],
    seeds: int,
    say: Callable[[str], None],
) -> list[Row]:
    """Return the accuracy of each way with each number of labels."""
    targets, ways = dataset.targets, (RANDOM, AT_ONCE, IN_ROUNDS)
    shares = {(n, way): np.zeros(len(targets)) for n in counts for way in ways}
    classes: dict[tuple[int, str], list[int]] = {key: [] for key in shares}
    for seed in range(seeds):
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
        for fold, (train, test) in enumerate(folds.split(targets, targets, dataset.groups)):
            names = [dataset.labels[number] for number in targets[train]]
            part = Part(features[train], images[train], names, seed)
            rounds = in_rounds(part, counts)
            for count in counts:
                drawn = np.random.default_rng([seed, fold, count])
                rows = {
                    RANDOM: drawn.choice(len(train), count, replace=False),
                    AT_ONCE: pick_rows(part, [], count),
                    IN_ROUNDS: rounds[count],
                }
                for way, chosen in rows.items():
                    known = train[chosen]
                    classes[count, way].append(len(np.unique(targets[known])))
                    shares[count, way][test] += right(features, targets, known, test) / seeds
            say(f"seed {seed}, fold {fold}")
    found = []
    for (count, way), share in shares.items():
        leads = share - shares[count, RANDOM]
        low, high = lead_interval(leads, dataset.groups)
        found.append(
            Row(
                count,
                way,
                float(share.mean()),
                float(np.mean(classes[count, way])),
                float(leads.mean()),
                low,
                high,
            )
        )
    return found


def main() -> None:
    """Read, describe, pick, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("EDGECL_DATA", ".")) / "neu_cls"
    parser.add_argument("--data", type=Path, default=default, help="labelled folder")
    parser.add_argument("--groups", type=Path, help="of 'edgecl audit'; NEU's are known")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--counts", default=",".join(map(str, COUNTS)))
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    dataset = read_labelled(chosen.data, InputContract(1, 1, tiling=Tiling((1, 1))))
    if chosen.groups is not None:
        dataset = with_groups(dataset, read_groups(chosen.groups), where=str(chosen.groups))
    elif (known := neu_groups(dataset)) is not None:
        dataset = replace(dataset, groups=known)
    images = dataset.images
    assert isinstance(images, TiledImages)
    say(f"{len(dataset)} images, {len(set(dataset.groups))} groups")
    features = describe_texture(images)
    counts = sorted(int(word) for word in chosen.counts.split(","))
    rows = compare(dataset, images, features, counts=counts, seeds=chosen.seeds, say=say)
    if chosen.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    print("labels  way        accuracy  classes  lead over random")
    for row in rows:
        lead = f"{100 * row.lead:+.1f} ({100 * row.low:+.1f} to {100 * row.high:+.1f})"
        print(
            f"{row.labels:6}  {row.way:9}  {row.accuracy:8.1%}  {row.classes:7.1f}  "
            f"{'' if row.way == RANDOM else lead}"
        )


if __name__ == "__main__":
    run_script(main)
