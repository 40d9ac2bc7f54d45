"""Detection of the bit depth of a folder's images, where their files do not say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.errors import FrameError
from runtime.image.decode import read_image
from runtime.image.depth import depth_of

SURVEYED = 64
"""Number of images, spread over the set, that are looked at."""


@dataclass(frozen=True)
class Survey:
    """Bit depth shown by a set's 16-bit images.

    Args:
        bits: the fewest of `DEPTHS` that hold every value found; None where no image is of 16
            bits, or each says itself how deep it is.
        images: how many images that rests on.
        shallow: how many of them use fewer bits themselves.
    """

    bits: int | None
    images: int
    shallow: int = 0


def survey_depth(paths: Sequence[Path], *, surveyed: int = SURVEYED) -> Survey:
    """Detect how many bits of 16-bit samples a set's images use.

    Args:
        paths: encoded images; those that cannot be decoded do not count.
        surveyed: at most so many are decoded.
    """
    own: list[int] = []
    for row in np.unique(np.linspace(0, len(paths) - 1, min(surveyed, len(paths)), dtype=int)):
        try:
            image = read_image(paths[row])
        except FrameError:
            continue
        if image.dtype == np.uint16:
            own.append(depth_of(int(image.max(initial=0))))
    if not own:
        return Survey(None, 0)
    return Survey(max(own), len(own), sum(bits < max(own) for bits in own))


def depth_note(bits: int, what: str) -> str:
    """Return the note on a depth that was detected and not given."""
    return (
        f"no value of the 16-bit {what} is above {(1 << bits) - 1}, so they are read as "
        f"{bits}-bit images (override with --bits)"
    )


def shallow_note(shallow: int, images: int, bits: int, what: str) -> str:
    """Return the note on a set of which some images leave whole bits empty."""
    return (
        f"{shallow} of {images} 16-bit {what} use fewer than the {bits} bits of the "
        "others: they are dark, come from another camera, or the others have hot pixels"
    )
