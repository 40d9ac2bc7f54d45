"""Which pictures calibrate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.errors import InputError


def select_stratified(
    targets: NDArray[np.int64], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw `count` pictures, as evenly over the classes as they allow.

    Args:
        targets: int64, N, class numbers of the candidates.
        count: pictures wanted; all candidates are taken where there are fewer.

    Returns:
        int64 row numbers, sorted, without repeats.

    Raises:
        InputError: no candidates, or a count below one.
    """
    if not len(targets) or count < 1:
        raise InputError(
            f"a calibration set of {min(count, len(targets))} pictures gives no ranges",
            mend="calibrate on at least one picture; 64 to 512 are usual",
        )
    queues = [rng.permutation(np.flatnonzero(targets == label)) for label in np.unique(targets)]
    # Round robin: the n-th picture of every class comes before the (n+1)-th of any.
    turns = np.concatenate([np.arange(len(queue)) for queue in queues])
    rows = np.concatenate(queues)
    return np.sort(rows[np.argsort(turns, kind="stable")][:count])
