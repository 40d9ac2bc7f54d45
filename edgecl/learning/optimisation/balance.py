"""Classes of very different sizes: all shown equally often, so that the rare ones are learnt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgecl.learning.findings import BalanceFacts

UNEVEN = 3.0
"""Ratio of the largest class to the smallest beyond which `auto` balances them."""
FEW = 2
"""Labelled images up to which a class is named in a note."""

_MOST_NAMED = 10


def balance_of(choice: str, targets: NDArray[np.int64], labels: Sequence[str]) -> BalanceFacts:
    """Decide whether the classes are balanced.

    Args:
        choice: `auto`, `off` or `on`.
        targets: int64 N, of the labelled train images.
        labels: C names.
    """
    counts = np.bincount(targets, minlength=len(labels))
    ratio = float(counts.max() / max(1, counts[counts > 0].min()))
    return BalanceFacts(
        balanced=choice == "on" or (choice == "auto" and ratio > UNEVEN),
        ratio=ratio,
        images=dict(zip(labels, counts.tolist(), strict=True)),
    )


def balanced_rows(
    targets: NDArray[np.int64], size: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the rows of an epoch that shows every class equally often, int64 `size`, by class.

    Of a large class other rows come in every epoch; those of a small one come several times. No row
    comes again before all others of its class have come.

    Args:
        targets: int64 N, class numbers.
        size: how many rows; where the classes do not divide it, some get one more.
        rng: draws the rows, and the classes that get one more.
    """
    present = np.unique(targets)
    shares = np.full(len(present), size // len(present))
    shares[rng.permutation(len(present))[: size % len(present)]] += 1
    chosen = []
    for number, share in zip(present.tolist(), shares.tolist(), strict=True):
        rows = np.flatnonzero(targets == number)
        rounds = -(-share // len(rows))
        chosen.append(
            np.concatenate([rng.permutation(rows) for _ in range(rounds)] or [rows])[:share]
        )
    return np.concatenate(chosen).astype(np.int64)


def balance_notes(facts: BalanceFacts, trained: bool) -> list[str]:
    """Return what a reader must know of the classes' sizes.

    Args:
        trained: whether the network was; a frozen one is shown no epochs.
    """
    notes = []
    few = [f"{label} ({count})" for label, count in facts.images.items() if count <= FEW]
    if few:
        more = f" and {len(few) - _MOST_NAMED} more" if len(few) > _MOST_NAMED else ""
        notes.append(
            "almost no labelled images to learn from, so their figures are chance: "
            f"{', '.join(few[:_MOST_NAMED])}{more}"
        )
    if trained and facts.balanced:
        notes.append(
            f"the largest class has {facts.ratio:.1f} times the labelled train images of the "
            "smallest: fine-tuning showed all equally often"
        )
    elif trained and facts.ratio > UNEVEN:
        notes.append(
            f"the largest class has {facts.ratio:.1f} times the labelled train images of the "
            "smallest, and --balance is off"
        )
    return notes
