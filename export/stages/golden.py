"""Choose the golden images of a bundle: see `runtime.session.golden`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from runtime.session.golden import CLOSE

PER_CLASS, MOST = 2, 16
MOST_BYTES = 2**20
"""Maximum size of the images, in bytes before compression."""
SPARE = 3
"""Candidates per golden image, since what ships must be close to the network on all of them."""


def choose_golden(
    probabilities: NDArray[np.float32],
    shipped: Sequence[NDArray[np.float32]],
    *,
    image_bytes: int,
) -> list[int]:
    """Rows of images on which the network was sure, and all that ships comes close to it.

    Args:
        probabilities: float32, N×C, the trained network's for the validation part.
        shipped: the same, of what the bundle holds, in each engine.
        image_bytes: size of one image.

    Returns:
        Rows, the surest of every answered class first; none where nothing comes close.
    """
    sure = probabilities.max(axis=1)
    answered = probabilities.argmax(axis=1)
    room = max(1, min(MOST, MOST_BYTES // image_bytes))
    order = np.argsort(-sure, kind="stable")
    turn = np.zeros(len(sure), np.int64)  # rank of each image within its class
    for label in np.unique(answered):
        of_class = order[answered[order] == label]
        turn[of_class] = np.arange(len(of_class))
    tried = np.lexsort((-sure, turn))
    tried = tried[turn[tried] < PER_CLASS * SPARE][: room * SPARE]
    close = np.ones(len(tried), bool)
    for answers in shipped:
        found = np.abs(answers[tried] - probabilities[tried]).max(axis=1)
        close &= found <= CLOSE  # false for NaN
    taken: list[int] = []
    for row in tried[close].tolist():
        same = sum(int(answered[other]) == int(answered[row]) for other in taken)
        if same < PER_CLASS and len(taken) < room:
            taken.append(row)
    return taken
