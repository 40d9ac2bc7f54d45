"""Choice of the calibration algorithm: the one that loses least on validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.ranges import METHODS
from calibration.search.damage import Damage, measure_damage
from runtime.progress import NotedProgress


@dataclass(frozen=True)
class Tried:
    """An algorithm, and the damage of its ranges to the outputs."""

    method: str
    damage: Damage


@dataclass(frozen=True)
class Choice:
    """The best algorithm, and all that were tried, the best first."""

    best: str
    table: tuple[Tried, ...]


def choose_method(
    answers: Callable[[str], NDArray[np.float32]],
    *,
    reference: NDArray[np.float32],
    targets: NDArray[np.int64],
    methods: Sequence[str] = tuple(METHODS),
    report: NotedProgress | None = None,
) -> Choice:
    """Try every algorithm and keep the one that loses the fewest images.

    Args:
        answers: gives the probabilities, float32 N×C, of the network quantised with the ranges
            of that method.
        reference: float32, N×C, probabilities of FP32 on the same validation images.
        targets: int64, N.
        methods: those to try.
        report: called before each, and at the end.

    Returns:
        The best first: by images that FP32 had right, then by the logits' signal-to-noise,
        then in the order of `methods`.
    """
    tried = []
    for turn, method in enumerate(methods):
        if report is not None:
            report(turn, len(methods), method)
        tried.append(Tried(method, measure_damage(reference, answers(method), targets)))
    if report is not None:
        report(len(methods), len(methods), "")
    tried.sort(key=lambda entry: (entry.damage.lost, -entry.damage.snr_db))
    return Choice(tried[0].method, tuple(tried))
