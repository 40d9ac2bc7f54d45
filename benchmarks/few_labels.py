"""Few labels without a network: a texture descriptor, alone and learning from its own answers.

Over grouped folds and draws of labels, what `train --self-train` may choose as a teacher is fitted
on the labelled images of the train part and asked about the test part. Self-training adds the
train part's other images, without labels. Intervals are bootstrapped over overlap groups.

    python benchmarks/few_labels.py --data neu_cls [--label-share 0.05 ...] [--draws 3]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.script import run_script
from edgecl.learning.config import TrainConfig
from edgecl.learning.evaluation.texture import describe_texture
from edgecl.learning.run.preparation import Prepared, prepare
from edgecl.learning.run.sources import RememberingSource
from edgecl.learning.teachers.choice import MODELS
from edgecl.learning.teachers.classical import answers, self_trained

RESAMPLES = 2000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", required=True)
    parser.add_argument("--label-share", type=float, nargs="+", default=[0.02, 0.05, 1.0])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    arguments = parser.parse_args()
    config = TrainConfig(
        data=arguments.data,
        method="none",
        geometry="tiles",
        image_size=(32, 32),  # of no matter here: images are described whole
        scale=arguments.scale,
        folds=arguments.folds,
    )
    source = RememberingSource()
    dataset = prepare(config, _silent, source).dataset
    texture = describe_texture(dataset.images)
    groups = np.unique(dataset.groups, return_inverse=True)[1]
    for share in arguments.label_share:
        draws = arguments.draws if share < 1 else 1
        for name, fit in MODELS.items():
            for learns in (False, True) if share < 1 else (False,):
                right = np.zeros(len(dataset))
                labels = []
                for fold in range(arguments.folds):
                    for draw in range(draws):
                        at = replace(config, fold=fold, label_share=share, label_draw=draw)
                        part = prepare(at, _silent, source)
                        known, test = part.split.train, part.split.test
                        more = texture[_unlabelled(part)] if learns else texture[:0]
                        model = self_trained(fit, texture[known], dataset.targets[known], more)
                        said = answers(model, texture[test], len(dataset.labels)).argmax(1)
                        right[test] += said == dataset.targets[test]
                        labels.append(len(known))
                low, high = _interval(right / draws, groups)
                print(
                    f"{share:g} of the labels ({np.mean(labels):.0f}), {draws} draw(s): {name}"
                    f"{', self-trained' if learns else ''}: {100 * right.mean() / draws:.2f} % "
                    f"({100 * low:.2f} to {100 * high:.2f})",
                    flush=True,
                )


def _unlabelled(part: Prepared) -> NDArray[np.int64]:
    return np.setdiff1d(part.pretraining, part.split.train).astype(np.int64)


def _interval(right: NDArray[np.float64], groups: NDArray[np.int64]) -> tuple[float, float]:
    """Return the 95 % interval of the mean, by a bootstrap over groups."""
    sums, sizes = np.bincount(groups, right), np.bincount(groups)
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(sums), (RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _silent(*_: object) -> None:
    pass


if __name__ == "__main__":
    run_script(main)
