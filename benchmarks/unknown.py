"""Share of unknown defects that `edgecl run` would call unknown, by leaving one class out.

For each class a network is trained on all others, in grouped parts, and asked about the images of
the class that it has never seen. Limits come from the validation part, at 1 % of false alarms; what
they cost is counted on the test part. What the networks answered is kept in --out, so a run that is
broken off goes on where it was.

    python benchmarks/unknown.py --data neu_cls --out neu [--epochs 6]
    python benchmarks/unknown.py --out drawn [--leave-out scratches ...]
    python benchmarks/unknown.py --cost
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.script import run_script
from edgecl.data.dataset import ImageSet
from edgecl.exporting.novelty import fit_space
from edgecl.learning.compute.placement import Compute
from edgecl.learning.config import TrainConfig
from edgecl.learning.loop.answers import answer_tiles
from edgecl.learning.loop.stages.finetuning import finetune
from edgecl.learning.loop.training import set_up
from edgecl.learning.model import Classifier
from edgecl.learning.recipes import LINE, RECIPES
from edgecl.learning.run.preparation import Prepared, prepare
from edgecl.learning.run.sources import ImageSource, RememberingSource
from runtime.artifact.tiling import TILES
from runtime.novelty import TrainingSpace, conformal_limit
from runtime.progress import CountProgress
from runtime.statistics import share_interval

RATE = 0.01
KNOWN = ("train", "validation", "test")
UNKNOWN = "unknown"
MOST_NEIGHBOURS = 2000
"""Training tiles that the nearest neighbours are looked for among."""

Floats = NDArray[np.float32]
Score = Callable[["Answers"], NDArray[np.floating]]
Distances = Callable[[Floats], Floats]
Combine = Callable[..., NDArray[np.floating]]


@dataclass(frozen=True)
class Answers:
    """A network's answers for one part.

    Args:
        embeddings: float32, T×D, of all tiles.
        logits: float32, T×C.
        counts: int64, N, tiles of each image.
        targets: int64, N; -1 for a class that it does not know.
    """

    embeddings: Floats
    logits: Floats
    counts: NDArray[np.int64]
    targets: NDArray[np.int64]

    def per_image(self, values: NDArray[np.floating], combine: Combine) -> NDArray[np.floating]:
        """Combine a value per tile, or a row, to one per image."""
        parts = np.split(values, np.cumsum(self.counts)[:-1])
        return np.stack([combine(part, axis=0) for part in parts])


@dataclass(frozen=True)
class Outcome:
    """What a score tells of one class that was left out.

    Args:
        auroc: of the class against the test part.
        caught: images of it beyond the limit, of `unknown`.
        alarms: images of the test part beyond it, of `test`.
    """

    auroc: float
    caught: int
    unknown: int
    alarms: int
    test: int


class WithoutClass(ImageSource):
    """A set without one of its classes."""

    def __init__(self, source: ImageSource, label: str) -> None:
        self._source = source
        self._label = label

    def labelled(self, config: TrainConfig, progress: CountProgress) -> ImageSet:
        """Return all images but those of the class."""
        whole = self._source.labelled(config, progress)
        gone = whole.labels.index(self._label)
        kept = whole.take(np.flatnonzero(whole.targets != gone))
        labels = tuple(name for name in whole.labels if name != self._label)
        return replace(kept, labels=labels, targets=kept.targets - (kept.targets > gone))


def trained(config: TrainConfig, prepared: Prepared) -> Classifier:
    """Return a network trained on the train part, at the epoch that the validation part chose."""
    with tempfile.TemporaryDirectory() as folder:
        compute = Compute(torch.device("cpu"), "off")
        torch.manual_seed(config.seed)
        setup, state = set_up(config, prepared, Path(folder), compute=compute, report=_silent)
        finetune(setup, state)
    classifier = state.networks.classifier
    if state.journal.best is not None:
        classifier.load_state_dict(state.journal.best)
    return classifier


def answers_without(label: str, config: TrainConfig, source: ImageSource) -> dict[str, Answers]:
    """Train without a class; return the answers for the three known parts and for the class."""
    whole = source.labelled(config, _silent)
    prepared = prepare(config, _silent, WithoutClass(source, label))
    classifier = trained(config, prepared)
    rows = np.flatnonzero(whole.targets == whole.labels.index(label))
    parts = {UNKNOWN: whole.take(rows)}
    parts |= {name: prepared.dataset.take(getattr(prepared.split, name)) for name in KNOWN}
    found = {}
    for name, part in parts.items():
        answers = answer_tiles(classifier, part.images, torch.device("cpu"))
        targets = np.full(len(part), -1) if name == UNKNOWN else part.targets
        found[name] = Answers(answers.embeddings, answers.logits, answers.counts, targets)
    return found


def scores(train: Answers) -> Mapping[str, Score]:
    """Return the scores by name, the one that edgecl uses first: higher is farther."""
    targets = np.repeat(train.targets, train.counts)
    relative = fit_space(train.embeddings, targets)
    means = train.per_image(train.embeddings, np.mean).astype(np.float32)
    of_means = fit_space(means, train.targets)
    some = np.random.default_rng(0).permutation(len(targets))[:MOST_NEIGHBOURS]
    near = neighbours(train.embeddings[some])

    def tiles(distances: Distances, combine: Combine) -> Score:
        return lambda part: part.per_image(distances(part.embeddings), combine)

    def whole(distances: Distances) -> Score:
        return lambda part: distances(part.per_image(part.embeddings, np.mean).astype(np.float32))

    plain = plain_mahalanobis(relative)
    return {
        "relative Mahalanobis, mean of tiles": tiles(relative.distances, np.mean),
        "relative Mahalanobis, 75 % quantile of tiles": tiles(relative.distances, upper_quarter),
        "relative Mahalanobis, farthest tile": tiles(relative.distances, np.max),
        "relative Mahalanobis of the mean embedding": whole(of_means.distances),
        "Mahalanobis, mean of tiles": tiles(plain, np.mean),
        "Mahalanobis, farthest tile": tiles(plain, np.max),
        "Mahalanobis of the mean embedding": whole(plain_mahalanobis(of_means)),
        "nearest neighbour, cosine, mean of tiles": tiles(near, np.mean),
        "nearest neighbour, cosine, farthest tile": tiles(near, np.max),
        "nearest neighbour, cosine, of the mean embedding": whole(neighbours(means)),
        SOFTMAX: lambda part: 1 - part.per_image(softmax(part.logits), np.mean).max(axis=1),
    }


SOFTMAX = "softmax: 1 - confidence"


def plain_mahalanobis(space: TrainingSpace) -> Distances:
    """Return the distance to the nearest class, relative to nothing."""
    return replace(space, overall=0 * space.overall).distances


def upper_quarter(values: NDArray[np.floating], axis: int) -> NDArray[np.floating]:
    """Return the 75 % quantile."""
    return np.asarray(np.quantile(values, 0.75, axis=axis))


def neighbours(known: Floats) -> Distances:
    """Return the cosine distance to the nearest of the known embeddings, as a function."""
    directions = known / np.linalg.norm(known, axis=1, keepdims=True)

    def distance(asked: Floats) -> Floats:
        likeness = asked / np.linalg.norm(asked, axis=1, keepdims=True) @ directions.T
        nearest: Floats = likeness.max(axis=1)
        return 1 - nearest

    return distance


def softmax(logits: Floats) -> NDArray[np.float64]:
    """Return probabilities, float64: 1 less a float32 one would be 0 too often."""
    raised = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def outcome_of(score: Score, parts: Mapping[str, Answers]) -> Outcome:
    """Set the limit on the validation part, and count on both sides of it."""
    limit = conformal_limit(np.sort(score(parts["validation"])), RATE)
    test, unknown = score(parts["test"]), score(parts[UNKNOWN])
    truth = np.concatenate((np.zeros(len(test)), np.ones(len(unknown))))
    return Outcome(
        float(roc_auc_score(truth, np.concatenate((test, unknown)))),
        int((unknown > limit).sum()),
        len(unknown),
        int((test > limit).sum()),
        len(test),
    )


def accuracy(part: Answers) -> float:
    """Return the share of right answers, by the mean of the tiles."""
    return float((part.per_image(softmax(part.logits), np.mean).argmax(1) == part.targets).mean())


def print_tables(
    found: Mapping[str, Mapping[str, Outcome]], accuracies: Mapping[str, float]
) -> None:
    """Print each class by the score in use and by softmax, then all scores over all classes.

    Args:
        found: by class that was left out, by score.
        accuracies: on the known classes' test part, by class that was left out.
    """
    first = next(iter(next(iter(found.values()))))
    print(f"\n{'left out':18} accuracy   {first:42} {SOFTMAX}")
    for label, by_score in found.items():
        cells = "   ".join(_cell(by_score[name]) for name in (first, SOFTMAX))
        print(f"{label:18} {accuracies[label]:7.1%}    {cells}")
    print(f"\n{'score':49} AUROC   caught, least to most   false alarms")
    for name in next(iter(found.values())):
        each = [by_score[name] for by_score in found.values()]
        caught = [one.caught / one.unknown for one in each]
        alarms, count = sum(one.alarms for one in each), sum(one.test for one in each)
        low, high = share_interval(alarms, count)
        print(
            f"{name:49} {np.mean([one.auroc for one in each]):.3f}   {np.mean(caught):6.1%}, "
            f"{min(caught):6.1%} to {max(caught):6.1%}   {alarms / count:.1%} ({low:.1%} to "
            f"{high:.1%})"
        )


def _cell(one: Outcome) -> str:
    low, high = share_interval(one.caught, one.unknown)
    return (
        f"{one.auroc:.3f} {one.caught / one.unknown:6.1%} ({low:5.1%} to {high:6.1%}), "
        f"{one.alarms}/{one.test}"
    )


def keep(path: Path, parts: Mapping[str, Answers]) -> None:
    """Write what a network answered, whole or not at all."""
    arrays = {
        f"{name}.{key}": value for name, part in parts.items() for key, value in vars(part).items()
    }
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as stream:
        np.savez(stream, **arrays)
    unfinished.rename(path)


def kept(path: Path) -> dict[str, Answers]:
    """Read it back."""
    with np.load(path) as file:
        return {
            name: Answers(*(file[f"{name}.{key}"] for key in Answers.__dataclass_fields__))
            for name in (*KNOWN, UNKNOWN)
        }


def print_cost(size: int = 128, classes: int = 6) -> None:
    """Print what a frame's distance takes."""
    rng = np.random.default_rng(0)
    known = rng.normal(size=(2000, size)).astype(np.float32)
    space = fit_space(known, np.arange(2000) % classes)
    for tiles in (1, 9, 84):
        asked = rng.normal(size=(tiles, size)).astype(np.float32)
        taken = []
        for _ in range(3000):
            start = time.perf_counter_ns()
            if tiles == 1:
                space.distance(asked[0])  # as for a stretched frame
            else:
                space.distances(asked).max()
            taken.append(time.perf_counter_ns() - start)
        print(
            f"{tiles} embedding(s) of {size} numbers, {classes} classes: median "
            f"{np.median(taken) / 1e6:.4f} ms"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", default="", help="labelled folder; drawn surfaces without it")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--leave-out", nargs="+", metavar="CLASS", help="these; all without it")
    parser.add_argument("--out", type=Path, default=Path("unknown"))
    parser.add_argument("--cost", action="store_true", help="time a frame's distance, and end")
    chosen = parser.parse_args()
    if chosen.cost:
        print_cost()
        return
    recipe = {**RECIPES[LINE], "geometry": TILES}
    config = TrainConfig(
        data=chosen.data, method="none", epochs=chosen.epochs, autocast="off", **recipe
    )
    source = RememberingSource()
    chosen.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, Outcome]] = {}
    accuracies = {}
    for label in chosen.leave_out or source.labelled(config, _silent).labels:
        path = chosen.out / f"{label}.npz"
        start = time.monotonic()
        if not path.exists():
            keep(path, answers_without(label, config, source))
        parts = kept(path)
        found[label] = {
            name: outcome_of(score, parts) for name, score in scores(parts["train"]).items()
        }
        accuracies[label] = accuracy(parts["test"])
        first = next(iter(found[label]))
        print(
            f"without {label}: {first} {_cell(found[label][first])} "
            f"[{time.monotonic() - start:.0f} s]",
            flush=True,
        )
    print_tables(found, accuracies)


def _silent(*_: object) -> None:
    pass


if __name__ == "__main__":
    run_script(main)
