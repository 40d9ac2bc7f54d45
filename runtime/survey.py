"""How deep the images of a folder are, where their files do not say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from runtime.depth import depth_of
from runtime.errors import FrameError
from runtime.picture import read_image

SURVEYED = 64
"""So many images, spread over the set, are looked at."""


def survey_depth(paths: Sequence[Path], *, surveyed: int = SURVEYED) -> int | None:
    """The bits that carry the image in a set's samples of 16 bits.

    Args:
        paths: encoded images; those that cannot be decoded do not count.
        surveyed: at most so many are decoded.

    Returns:
        The fewest of `DEPTHS` that hold every value found; None where no image is of 16 bits, or
        each says itself how deep it is.
    """
    largest = -1
    for row in np.unique(np.linspace(0, len(paths) - 1, min(surveyed, len(paths)), dtype=int)):
        try:
            image = read_image(paths[row])
        except FrameError:
            continue
        if image.dtype == np.uint16:
            largest = max(largest, int(image.max(initial=0)))
    return None if largest < 0 else depth_of(largest)


def depth_note(bits: int, what: str) -> str:
    """What a reader must know of a depth that was found and not given."""
    return (
        f"no value of the 16-bit {what} is above {(1 << bits) - 1}: they were read as {bits} bits "
        f"(--bits says otherwise)"
    )
