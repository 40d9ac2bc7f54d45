"""Train, validation and test parts, by one of two protocols that are never mixed.

`grouped`: no group is on two sides, so no strip of metal is both learnt and tested.
`paper`: random and stratified, as published; overlapping pictures leak through it.

Either cuts once, 70/15/15, or into folds that take turns as the test part, so that every picture is
tested once per seed.
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
FOLDED_VALIDATION = 0.1
MIN_GROUPS_PER_CLASS = 3


@dataclass(frozen=True)
class Split:
    """Row numbers of the three parts: int64, disjoint."""

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
    folds: int = 0,
    fold: int = 0,
) -> Split:
    """Cut a set into a train, a validation and a test part, stratified by class.

    Without folds: 70 % train, 15 % validation and 15 % test. With five folds: 20 % test, 10 %
    validation and 70 % train, the share of the paper.

    Args:
        protocol: `grouped` or `paper`.
        targets: int64, N, class numbers.
        groups: N group names; ignored by `paper`.
        labels: class names, for the error.
        folds: 0, or how many test parts there are; at least 2.
        fold: which of them, from 0.

    Raises:
        InputError: a class with fewer groups (or pictures) than parts, or a part without one.
    """
    grouped = protocol == "grouped"
    rows = np.arange(len(targets))
    units = np.asarray(groups) if grouped else rows.astype(str)
    fewest = FOLDS
    needed = folds + 1 if folds else MIN_GROUPS_PER_CLASS
    for number, label in enumerate(labels):
        count = len(np.unique(units[targets == number]))
        if count < needed:
            what = "group(s)" if grouped else "picture(s)"
            wanted = f"{folds} folds" if folds else "a train, a validation and a test part"
            mend = f"give at least {needed} of each class"
            raise InputError(
                f"class {label} has {count} {what}: too few for {wanted}",
                mend=f"{mend}, or fewer --folds" if folds else mend,
            )
        fewest = min(fewest, count)

    def cut(of: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
        kind = StratifiedGroupKFold if grouped else StratifiedKFold
        cutter = kind(n_splits=count, shuffle=True, random_state=seed)
        strips = units[of] if grouped else None
        return [of[held] for _, held in cutter.split(of, targets[of], strips)]

    if folds:
        test = cut(rows, folds)[fold]
        rest = np.setdiff1d(rows, test)
        fewest = min(len(np.unique(units[rest][targets[rest] == n])) for n in range(len(labels)))
        inner = cut(rest, max(2, min(round((1 - 1 / folds) / FOLDED_VALIDATION), fewest)))
        validation = inner[0]
    else:
        parts = cut(rows, fewest)
        held_out = max(1, round(HELD_OUT_SHARE * fewest))
        test = np.concatenate(parts[:held_out])
        validation = np.concatenate(parts[held_out : 2 * held_out])
    train = np.setdiff1d(rows, np.concatenate((test, validation)))
    split = Split(train, np.sort(validation), np.sort(test))
    _refuse_missing(split, targets, labels, where=f"fold {fold} of {folds}: " if folds else "")
    return split


def _refuse_missing(
    split: Split, targets: NDArray[np.int64], labels: Sequence[str], *, where: str
) -> None:
    """Big groups can take a whole class to one side."""
    for part, rows in vars(split).items():
        missing = sorted(set(range(len(labels))) - set(targets[rows].tolist()))
        if missing:
            raise InputError(
                f"{where}the {part} part has no picture of class {labels[missing[0]]}",
                mend="take another --seed, fewer --folds, or give more groups of this class",
            )


def labelled_rows(
    rows: NDArray[np.int64],
    targets: NDArray[np.int64],
    groups: Sequence[str],
    labels: Sequence[str],
    *,
    share: float,
    seed: Sequence[int],
    part: str,
) -> NDArray[np.int64]:
    """The part of `rows` whose labels are known when only a share of them is.

    Class by class, whole groups in a random order until the share is reached: who labels strip by
    strip has no more than this. The same seed gives nested sets: a smaller share lies within a
    larger one.

    Args:
        rows: int64, row numbers of a part.
        targets: int64, N, class numbers of the whole set.
        groups: N group names.
        labels: class names, for the error.
        share: of each class, in (0, 1].
        seed: of the draw, one number or several.
        part: the part's name. `train` must keep a label of each class; others do whatever the
            share.

    Returns:
        int64, sorted; `rows` themselves for a share of 1.

    Raises:
        InputError: the share leaves a class of the train part without a label.
    """
    if share >= 1:
        return rows
    names = np.asarray(groups)
    kept = []
    for number, label in enumerate(labels):
        of_class = rows[targets[rows] == number]
        count = round(share * len(of_class))
        if part == "train" and count == 0:
            raise InputError(
                f"a label share of {share:g} leaves class {label} without a label: the train part "
                f"has {len(of_class)} pictures of it",
                mend=f"take a --label-share of {0.51 / max(len(of_class), 1):.2g} or more",
            )
        rng = np.random.default_rng([*seed, number])
        order = rng.permutation(np.unique(names[of_class]))
        place = {name: index for index, name in enumerate(order.tolist())}
        by_group = sorted(of_class.tolist(), key=lambda row: (place[str(names[row])], row))
        kept += by_group[: max(count, 1)]
    return np.sort(np.asarray(kept, np.int64))
