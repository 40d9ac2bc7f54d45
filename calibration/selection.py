"""Selection of calibration images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.errors import InputError

METHODS = ("stratified", "random", "coverage")
# Of fewer, a single odd image decides the ranges.
FEWEST = 8
FEW = 32
USUAL = "64 to 512 are usual"


@dataclass(frozen=True)
class Selected:
    """The images that calibrate.

    Args:
        rows: int64, sorted, without repeats.
        note: what a reader must know of the set; empty where there is nothing.
    """

    rows: NDArray[np.int64]
    note: str = ""


def select(
    method: str,
    count: int,
    *,
    targets: NDArray[np.int64],
    embeddings: NDArray[np.float32] | None,
    rng: np.random.Generator,
) -> Selected:
    """Choose `count` images for calibration, or all where there are fewer.

    Args:
        method: one of `METHODS`.
        targets: int64, N, class numbers of the candidates.
        embeddings: float32, N×D, the encoder's answers on them; only `coverage` needs them.
        rng: draws for `random` and `stratified`; `coverage` leaves nothing to chance.

    Raises:
        InputError: a set too small to calibrate with, or no such method.
    """
    note = judge_size(min(count, len(targets)), len(np.unique(targets)))
    if method == "random":
        return Selected(np.sort(rng.permutation(len(targets))[:count]), note)
    if method == "stratified":
        return Selected(select_stratified(targets, count, rng), note)
    if method == "coverage":
        if embeddings is None:
            raise ValueError("coverage needs embeddings")
        return Selected(np.sort(select_covering(embeddings, count)), note)
    raise InputError(
        f"unknown calibration selection {method!r}",
        hint=f"choose from {', '.join(METHODS)}",
    )


def judge_size(images: int, classes: int) -> str:
    """A note where `images` are few to calibrate with; empty where they suffice.

    Raises:
        InputError: too few to be of any use.
    """
    if images < FEWEST:
        raise InputError(
            f"{images} calibration images are too few: a single outlier would decide the ranges",
            hint=f"use at least {FEWEST}; {USUAL}",
        )
    if images < classes:
        raise InputError(
            f"{images} calibration images cannot cover all {classes} classes, and "
            "activations of missing classes may be clipped",
            hint=f"use at least {classes}; {USUAL}",
        )
    if images < FEW:
        return f"{images} calibration images are few; {USUAL}"
    return ""


def select_stratified(
    targets: NDArray[np.int64], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw `count` images, as evenly over the classes as they allow.

    Args:
        targets: int64, N, class numbers of the candidates.
        count: images wanted; all candidates are taken where there are fewer.

    Returns:
        int64 row numbers, sorted, without repeats.

    Raises:
        InputError: no candidates, or a count below one.
    """
    if not len(targets) or count < 1:
        raise InputError(
            f"cannot calibrate on {min(count, len(targets))} images",
            hint=f"use at least one image; {USUAL}",
        )
    return np.sort(order_stratified(targets, rng)[:count])


def order_stratified(targets: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return all row numbers, ordered so that any stretch is as even as the classes allow.

    Args:
        targets: int64, N, class numbers; at least one.
    """
    queues = [rng.permutation(np.flatnonzero(targets == label)) for label in np.unique(targets)]
    # Round robin: the n-th image of every class comes before the (n+1)-th of any.
    turns = np.concatenate([np.arange(len(queue)) for queue in queues])
    rows = np.concatenate(queues)
    return rows[np.argsort(turns, kind="stable")]


def select_covering(embeddings: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Take `count` images such that none is far from a taken one: greedy k-centre.

    The first is the image nearest to the mean, each further one that which lies farthest from
    all taken so far; the largest distance left is at most twice the least possible. Sources:
    T. F. Gonzalez, "Clustering to minimize the maximum intercluster distance", Theoretical
    Computer Science 38, 1985; as a choice of images: O. Sener and S. Savarese, "Active learning
    for convolutional neural networks: a core-set approach", ICLR 2018.

    Args:
        embeddings: float32, N×D.
        count: images wanted; all are taken where there are fewer.

    Returns:
        int64 row numbers in the order in which they were taken. Of equals the first is taken.
    """
    points = embeddings.astype(np.float64)
    count = min(count, len(points))
    taken = np.empty(count, np.int64)
    if not count:
        return taken
    taken[0] = _squared_distances(points, points.mean(0)).argmin()
    farthest = np.full(len(points), np.inf)
    for turn in range(1, count):
        last = taken[turn - 1]
        farthest = np.minimum(farthest, _squared_distances(points, points[last]))
        # Copies of taken images are at distance zero too, but may still be taken.
        farthest[last] = -1
        taken[turn] = farthest.argmax()
    return taken


def _squared_distances(
    points: NDArray[np.float64], centre: NDArray[np.float64]
) -> NDArray[np.float64]:
    offset = points - centre
    return np.asarray(np.einsum("nd,nd->n", offset, offset))
