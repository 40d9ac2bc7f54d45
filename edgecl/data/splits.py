"""Train, validation and test parts, by one of two protocols that are never mixed.

`grouped`: no group is on two sides, so no strip of metal is both learnt and tested.
`paper`: random and stratified 70/15/15, as published; overlapping pictures leak through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from runtime.errors import InputError

PROTOCOLS = ("grouped", "paper")

# 70/15/15 in twentieths. Small sets are cut into fewer folds.
FOLDS = 20
HELD_OUT_SHARE = 0.15
MIN_GROUPS_PER_CLASS = 3


@dataclass(frozen=True)
class Split:
    """Row numbers of the three parts: int64, disjoint, together all rows."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def split_pictures(
    protocol: str,
    targets: NDArray[np.int64],
    groups: Sequence[str],
    labels: Sequence[str],
    *,
    seed: int,
) -> Split:
    """Cut a set into 70 % train, 15 % validation and 15 % test, stratified by class.

    Args:
        protocol: `grouped` or `paper`.
        targets: int64, N, class numbers.
        groups: N group names; ignored by `paper`.
        labels: class names, for the error.

    Raises:
        InputError: a class with fewer groups (or pictures) than parts.
    """
    rows = np.arange(len(targets))
    units = np.asarray(groups if protocol == "grouped" else rows.astype(str))
    fewest = FOLDS
    for number, label in enumerate(labels):
        count = len(np.unique(units[targets == number]))
        if count < MIN_GROUPS_PER_CLASS:
            what = "group(s)" if protocol == "grouped" else "picture(s)"
            raise InputError(
                f"class {label} has {count} {what}: too few for a train, a validation and a test "
                f"part",
                mend=f"give at least {MIN_GROUPS_PER_CLASS} of each class",
            )
        fewest = min(fewest, count)
    if protocol == "grouped":
        grouped = StratifiedGroupKFold(n_splits=fewest, shuffle=True, random_state=seed)
        parts = [held for _, held in grouped.split(rows, targets, units)]
    else:
        random = StratifiedKFold(n_splits=fewest, shuffle=True, random_state=seed)
        parts = [held for _, held in random.split(rows, targets)]
    held_out = max(1, round(HELD_OUT_SHARE * fewest))
    test, validation, train = (
        parts[:held_out],
        parts[held_out : 2 * held_out],
        parts[2 * held_out :],
    )
    return Split(*(np.sort(np.concatenate(part)) for part in (train, validation, test)))
