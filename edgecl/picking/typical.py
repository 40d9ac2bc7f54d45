"""Typical images of uncovered clusters: what to label while labels are few.

Source: Hacohen, Dekel and Weinshall, "Active Learning on a Budget: Opposite Strategies Suit High
and Low Budgets", ICML 2022 (TypiClust).
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors

MOST_CLUSTERS = 500
"""Number of labels, as in the paper: beyond it, clusters that have the fewest come first."""

NEIGHBOURS = 20
MOST_COMPARED = 5000
"""Images of a cluster among which neighbours are looked for: time must not grow by the square."""

WHOLE_PASSES = 20_000
"""Images up to which k-means looks at all of them in every pass."""

STARTS = 10
"""Starts of k-means, the best of which is taken: one alone varied more from seed to seed."""

_NEAREST = 1e-6
_AT_ONCE = 32

AreCopies = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]
"""Called with M rows and those that were picked: which of the M show the same as one of these."""


def find_clusters(
    points: NDArray[np.float32],
    count: int,
    *,
    seed: int,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.int64]:
    """Return each point's cluster by k-means, int64 N, numbered from 0 without gaps.

    Args:
        points: float32, N×D, at least one.
        count: clusters wanted; there are fewer where fewer points differ, and at most
            `MOST_CLUSTERS`.
        weights: float64 N, how much each point counts; None for alike.
    """
    count = max(1, min(count, len(points), MOST_CLUSTERS))
    if count == 1:
        return np.zeros(len(points), np.int64)
    few = len(points) <= WHOLE_PASSES
    method = (
        KMeans(count, n_init=STARTS, random_state=seed)
        if few
        else MiniBatchKMeans(count, n_init=3, batch_size=4096, random_state=seed)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of equal points
        found = method.fit_predict(points, sample_weight=weights)
    return np.unique(found, return_inverse=True)[1].astype(np.int64)


def typicality(
    points: NDArray[np.float32], clusters: NDArray[np.int64], *, seed: int
) -> NDArray[np.float64]:
    """Return the inverse of the mean distance to the nearest neighbours within the cluster.

    Args:
        points, clusters: float32 N×D and int64 N.

    Returns:
        float64, N; 0 for an image that is alone in its cluster.
    """
    found = np.zeros(len(points))
    order = np.argsort(clusters, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(clusters[order])) + 1):
        if len(rows) > 1:
            found[rows] = 1 / (_mean_distances(points[rows], seed) + _NEAREST)
    return found


def _mean_distances(points: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    count = len(points)
    compared = np.arange(count)
    if count > MOST_COMPARED:
        compared = np.random.default_rng(seed).choice(count, MOST_COMPARED, replace=False)
    number = min(NEIGHBOURS, len(compared) - 1)
    search = NearestNeighbors(n_neighbors=number + 1, algorithm="brute").fit(points[compared])
    distances = search.kneighbors(points)[0]
    # The nearest of a point that is compared with itself is that point.
    itself = np.isin(np.arange(count), compared)
    means = np.where(itself, distances[:, 1:].mean(axis=1), distances[:, :-1].mean(axis=1))
    return np.asarray(means, np.float64)


def pick_by_cluster(
    scores: NDArray[np.float64],
    clusters: NDArray[np.int64],
    *,
    free: NDArray[np.bool_],
    labelled: NDArray[np.bool_],
    count: int,
    are_copies: AreCopies,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.int64]:
    """Pick the best image of one cluster after the other, that with the fewest labels first.

    Of clusters with as few labels the one with the most images, or weight, comes first. A picked
    image counts as labelled.

    Args:
        scores, clusters: float64 N and int64 N; the highest score of a cluster is taken.
        free: bool N, what may be picked.
        labelled: bool N, what covers its cluster.
        are_copies: which of some rows are copies of picked ones; they are passed over.
        weights: float64 N, how much each image counts; None for alike.

    Returns:
        int64, at most `count` rows, in the order in which they were picked.
    """
    number = int(clusters.max(initial=-1)) + 1
    counted = free | labelled
    sizes = np.bincount(
        clusters[counted], None if weights is None else weights[counted], minlength=number
    )
    covered = np.bincount(clusters[labelled], minlength=number)
    queues: list[deque[int]] = [deque() for _ in range(number)]
    rows = np.flatnonzero(free)
    for row in rows[np.argsort(-scores[rows], kind="stable")].tolist():
        queues[clusters[row]].append(row)
    waiting = [
        (int(covered[cluster]), -float(sizes[cluster]), cluster)
        for cluster in range(number)
        if queues[cluster]
    ]
    heapify(waiting)
    picked: list[int] = []
    while waiting and len(picked) < count:
        labels, size, cluster = heappop(waiting)
        row = _first_new(queues[cluster], picked, are_copies)
        if row is None:
            continue
        picked.append(row)
        if queues[cluster]:
            heappush(waiting, (labels + 1, size, cluster))
    return np.array(picked, np.int64)


def _first_new(queue: deque[int], picked: list[int], are_copies: AreCopies) -> int | None:
    """Take from a queue up to the first row that copies none of the picked ones."""
    while queue:
        block = [queue.popleft() for _ in range(min(_AT_ONCE, len(queue)))]
        copies = are_copies(np.array(block, np.int64), np.array(picked, np.int64))
        new = [row for row, copy in zip(block, copies.tolist(), strict=True) if not copy]
        if new:
            queue.extendleft(reversed(new[1:]))
            return new[0]
    return None
