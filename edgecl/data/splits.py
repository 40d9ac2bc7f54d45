"""Train, validation and test parts, by one of two protocols that are never mixed.

`grouped`: no group is on two sides, so no strip of metal is both learnt and tested.
`paper`: random and stratified, as published; overlapping images leak through it.

Either cuts once, 70/15/15, or into folds that take turns as the test part, so that every image is
tested once per seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from edgecl.data.small_classes import deal_small_classes
from runtime.errors import InputError

PROTOCOLS = ("grouped", "paper")

# 70/15/15 in twentieths.
FOLDS = 20
HELD_OUT_SHARE = 0.15
FOLDED_VALIDATION = 0.1
MIN_GROUPS_PER_CLASS = 3

# How far a class may end from its shares without a word.
_FAR = 0.1
_MOST_NAMES = 10


@dataclass(frozen=True)
class Split:
    """Row numbers of the three parts: int64, disjoint."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def split_images(
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
    validation and 70 % train, the share of the paper. A class with fewer groups (or images) than
    such a cut has pieces is dealt to the parts on its own, as near to the shares as it can be.

    Args:
        protocol: `grouped` or `paper`.
        targets: int64, N, class numbers.
        groups: N group names; ignored by `paper`.
        labels: class names, for the error.
        folds: 0, or how many test parts there are; at least 2.
        fold: which of them, from 0.

    Raises:
        InputError: a class with fewer groups (or images) than parts, or a part without one.
    """
    grouped = protocol == "grouped"
    rows = np.arange(len(targets))
    units = np.asarray(groups) if grouped else rows.astype(str)
    # Beside a fold, training and validation need a group each; with two folds, in both turns.
    needed = max(folds + 1, MIN_GROUPS_PER_CLASS + (folds == 2))
    what = "group(s)" if grouped else "image(s)"
    counts = [len(np.unique(units[targets == number])) for number in range(len(labels))]
    small = [
        f"class {label} has {count} {what}"
        for label, count in zip(labels, counts, strict=True)
        if count < needed
    ]
    if small:
        wanted = f"{folds} folds" if folds else "a train, validation and test part"
        more = f" and {len(small) - _MOST_NAMES} more" if len(small) > _MOST_NAMES else ""
        hint = f"use at least {needed} of each class, or take these images out of the set"
        raise InputError(
            f"{', '.join(small[:_MOST_NAMES])}{more}: too few for {wanted}",
            hint=f"{hint}, or fewer --folds" if folds else hint,
        )

    def cut(of: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
        strips = tuple(units[of].tolist()) if grouped else None
        return [of[held] for held in _pieces(tuple(targets[of].tolist()), strips, count, seed)]

    def hold_out(of: NDArray[np.int64], count: int, *parts: int) -> list[NDArray[np.int64]]:
        """Rows of `of` for each part: so many of `count` pieces, and of small classes their own."""
        sides = deal_small_classes(units[of], targets[of], pieces=count, parts=parts, seed=seed)
        small = np.isin(units[of], list(sides)) if sides else np.zeros(len(of), np.bool_)
        side = np.array([sides[name] for name in units[of[small]].tolist()], np.int64)
        others = of[~small]
        pieces = cut(others, count) if len(others) else [others] * count
        ends = np.cumsum(parts).tolist()
        return [
            np.concatenate((*pieces[end - taken : end], of[small][side == number]))
            for number, (end, taken) in enumerate(zip(ends, parts, strict=True))
        ]

    if folds:
        test = cut(rows, folds)[fold]
        rest = np.setdiff1d(rows, test)
        (validation,) = hold_out(rest, _pieces_of_rest(folds), 1)
    else:
        held_out = round(HELD_OUT_SHARE * FOLDS)
        test, validation = hold_out(rows, FOLDS, held_out, held_out)
    train = np.setdiff1d(rows, np.concatenate((test, validation)))
    split = Split(train, np.sort(validation), np.sort(test))
    _refuse_missing(split, targets, labels, where=f"fold {fold} of {folds}: " if folds else "")
    return split


# Trainings of a study, and an export after its training, cut the same set again.
@lru_cache(maxsize=64)
def _pieces(
    targets: tuple[int, ...], groups: tuple[str, ...] | None, count: int, seed: int
) -> tuple[NDArray[np.int64], ...]:
    """Cut rows into stratified pieces, of whole groups where there are groups.

    Args:
        targets: class numbers.
        groups: one name each.

    Returns:
        `count` arrays of row numbers, int64.
    """
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    cutter = kind(n_splits=count, shuffle=True, random_state=seed)
    return tuple(held for _, held in cutter.split(targets, targets, groups))


def uneven_classes(
    protocol: str,
    split: Split,
    targets: NDArray[np.int64],
    groups: Sequence[str],
    labels: Sequence[str],
    *,
    folds: int = 0,
) -> list[str]:
    """Return a note on classes that ended far from the intended shares.

    The arguments are those of `split_images`.
    """
    held_out = 1 / folds if folds else HELD_OUT_SHARE
    validated = (1 - held_out) / _pieces_of_rest(folds) if folds else HELD_OUT_SHARE
    shares = np.array([1 - held_out - validated, validated, held_out])
    units = np.asarray(groups) if protocol == "grouped" else np.arange(len(targets))
    what = "groups" if protocol == "grouped" else "images"
    found = []
    for number, label in enumerate(labels):
        parts = (split.train, split.validation, split.test)
        counts = np.array([int((targets[rows] == number).sum()) for rows in parts])
        if np.abs(counts / counts.sum() - shares).max() > _FAR + 1e-9:
            of_class = len(np.unique(units[targets == number]))
            found.append(f"{label} {'/'.join(map(str, counts.tolist()))} ({of_class} {what})")
    if not found:
        return []
    wanted = "/".join(f"{100 * share:.0f}" for share in shares.tolist())
    more = f" and {len(found) - _MOST_NAMES} more" if len(found) > _MOST_NAMES else ""
    return [
        f"too few or too uneven {what} to split {wanted} % into train, validation and "
        f"test; images per part: {', '.join(found[:_MOST_NAMES])}{more}"
    ]


def _pieces_of_rest(folds: int) -> int:
    """Number of pieces that a fold's remainder is cut into; one of them validates."""
    return max(2, round((1 - 1 / folds) / FOLDED_VALIDATION))


def _refuse_missing(
    split: Split, targets: NDArray[np.int64], labels: Sequence[str], *, where: str
) -> None:
    """Refuse a split in which a part lacks a class: big groups can take a whole class."""
    for part, rows in vars(split).items():
        missing = sorted(set(range(len(labels))) - set(targets[rows].tolist()))
        if missing:
            raise InputError(
                f"{where}the {part} part has no images of class {labels[missing[0]]}",
                hint="use another --seed, fewer --folds, or more groups of this class",
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
                f"a label share of {share:g} leaves class {label} without labels: the "
                f"train part has {len(of_class)} images of it",
                hint=f"use a --label-share of {_least_share(len(of_class)):g} or more",
            )
        rng = np.random.default_rng([*seed, number])
        order = rng.permutation(np.unique(names[of_class]))
        place = {name: index for index, name in enumerate(order.tolist())}
        by_group = sorted(of_class.tolist(), key=lambda row: (place[str(names[row])], row))
        kept += by_group[: max(count, 1)]
    return np.sort(np.asarray(kept, np.int64))


def _least_share(count: int) -> float:
    """A share in two digits that leaves a class of `count` images one label."""
    least = 0.51 / max(count, 1)
    digits = 1 - math.floor(math.log10(least))
    return round(math.ceil(least * 10.0**digits) / 10.0**digits, digits)
