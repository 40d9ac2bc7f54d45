"""Pairs of images that can hardly be the same metal: of one set and two classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgecl.data.audit.sets import AuditedSets


def class_codes(sets: AuditedSets) -> NDArray[np.int64]:
    """Return the set of each image, and the class within it or -1, int64 N×2."""
    number = {name: place for place, name in enumerate(sorted(set(sets.names) - {""}))}
    return np.stack(
        (
            sets.set_of,
            np.array([number.get(name, -1) for name in sets.names], np.int64),
        ),
        axis=1,
    )


def strangers(
    code: NDArray[np.int64], first: NDArray[np.int64] | int, second: NDArray[np.int64] | int
) -> NDArray[np.bool_]:
    """Return which pairs are of one set and two classes, which are hardly ever the same metal.

    Args:
        code: int64, N×2, as `class_codes` gives it.
        first, second: rows.
    """
    one, other = code[first], code[second]
    strange: NDArray[np.bool_] = (
        (one[..., 0] == other[..., 0])
        & (one[..., 1] != other[..., 1])
        & (one[..., 1] >= 0)
        & (other[..., 1] >= 0)
    )
    return strange


def count_strangers(code: NDArray[np.int64], set_of: NDArray[np.int64]) -> int:
    """Count all pairs of one set and two classes."""
    total = 0
    for number in np.unique(set_of):
        classes = code[(set_of == number) & (code[:, 1] >= 0), 1]
        sizes = np.bincount(classes) if len(classes) else np.zeros(1, np.int64)
        total += (int(sizes.sum()) ** 2 - int((sizes**2).sum())) // 2
    return total
