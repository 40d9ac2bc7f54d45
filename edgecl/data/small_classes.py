"""Classes with fewer groups than a cut has pieces, each dealt to the parts on its own.

A cut into as many pieces as the rarest class has groups would give every class its coarse parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

TRAIN = -1
"""Side number of groups that no part holds out."""

# So many deals are tried, for groups differ in size; where they do not, the first one is as good.
_DEALS = 32
_NONE = 10.0


def deal_small_classes(
    units: NDArray[np.str_],
    targets: NDArray[np.int64],
    *,
    pieces: int,
    parts: Sequence[int],
    seed: int,
) -> dict[str, int]:
    """Put every group of the classes that have fewer than `pieces` into a part, or into none.

    The rarest class goes first, and a group that holds several classes is dealt once. Of `n` groups
    a part gets its share, rounded, and at least one; training keeps the rest, and at least one.

    Args:
        units: N group names.
        targets: int64, N, class numbers.
        pieces: of the cut.
        parts: how many of the pieces each held-out part takes.
        seed: of the deal.

    Returns:
        Group to the number of its part, or to `TRAIN`. Empty where no class is small. A class can
        still lack a part, where its groups were dealt with those of rarer classes.
    """
    held = {
        number: set(np.unique(units[targets == number]).tolist())
        for number in np.unique(targets).tolist()
    }
    if all(len(names) >= pieces for names in held.values()):
        return {}
    shares = [count / pieces for count in parts]
    deals = [
        _deal(held, pieces, shares, np.random.default_rng([seed, number]))
        for number in range(_DEALS)
    ]
    dealt = np.isin(units, list(set().union(*deals)))
    sizes = Counter(zip(units[dealt].tolist(), targets[dealt].tolist(), strict=True))
    return min(deals, key=lambda deal: _unevenness(deal, held, sizes, shares))


def _deal(
    held: Mapping[int, set[str]], pieces: int, shares: Sequence[float], rng: np.random.Generator
) -> dict[str, int]:
    sides: dict[str, int] = {}
    waiting = set(held)
    while small := [n for n in waiting if len(held[n] - sides.keys()) < pieces]:
        number = min(small, key=lambda n: (len(held[n]), n))
        waiting.remove(number)
        free = rng.permutation(sorted(held[number] - sides.keys())).tolist()
        have = Counter(sides[name] for name in held[number] & sides.keys())
        for side, name in zip(_seats(len(held[number]), have, shares), free, strict=False):
            sides[name] = side
    return sides


def _seats(count: int, have: Mapping[int, int], shares: Sequence[float]) -> list[int]:
    """Return the sides for a class's next groups: one to each that has none, then by the shares."""
    wanted = [max(1, round(count * share)) for share in shares]
    first = [side for side in (*range(len(shares)), TRAIN) if not have[side]]
    then = [
        side for side, want in enumerate(wanted) for _ in range(want - have[side] - (side in first))
    ]
    return [*first, *then, *[TRAIN] * count]


def _unevenness(
    sides: Mapping[str, int],
    held: Mapping[int, set[str]],
    sizes: Mapping[tuple[str, int], int],
    shares: Sequence[float],
) -> float:
    """Distance of the dealt classes from their shares; a part without any counts most."""
    total = 0.0
    for number, names in held.items():
        if not names <= sides.keys():
            continue  # The rest of this class is cut otherwise.
        parts: Counter[int] = Counter()
        for name in names:
            parts[sides[name]] += sizes[name, number]
        for side, share in [*enumerate(shares), (TRAIN, 1 - sum(shares))]:
            part = parts[side] / parts.total()
            total += abs(part - share) + (_NONE if part == 0 else 0.0)
    return total
