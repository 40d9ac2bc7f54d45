"""Conversion of samples with more than 8 bits to the 8 that a model takes.

A camera of 10 or 12 bits fills the lower bits of 16. How many are used is known where the
source says so (a PGM's largest value, a TIFF's tags, a pixel format), given by the user, or found
on the training set; the model's contract keeps it, so that the line scales as training did.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.errors import FrameError

DEPTHS = (8, 10, 12, 14, 16)
"""Bit depths of cameras; a detected depth is one of them."""


def depth_of(largest: int) -> int:
    """The fewest bits, of those that cameras have, that hold the value `largest`."""
    return next(bits for bits in DEPTHS if largest < 1 << bits)


def to_8_bits(
    samples: NDArray[np.uint16], bits: int, out: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """The upper eight of the used bits.

    Args:
        samples: uint16, of any shape.
        bits: how many of the 16 are used, 8 to 16.
        out: uint8, of that shape, to be written to; a new array when None.

    Raises:
        FrameError: a sample is too large for `bits`.
    """
    require_depth(samples, bits)
    if out is None:
        out = np.empty(samples.shape, np.uint8)
    # Shifted and narrowed a few thousand samples at a time: no second frame in memory.
    np.right_shift(samples, bits - 8, out=out, dtype=np.uint16, casting="unsafe")
    return out


def require_depth(samples: NDArray[np.generic], bits: int) -> None:
    """Require samples that fit in some bits.

    Raises:
        FrameError: one is too large.
    """
    largest = int(samples.max(initial=0))
    if largest >> bits:
        raise FrameError(
            f"it has the value {largest}, but {bits} bits end at {(1 << bits) - 1}: its "
            f"depth is not the expected {bits} bits"
        )


def scaled_to_8_bits(samples: NDArray[np.generic], maxval: int) -> NDArray[np.uint8]:
    """Reduce samples whose white level the file states to 8 bits.

    Args:
        samples: uint8 or uint16, of any shape.
        maxval: the value of white, 1 to 65535.

    Raises:
        FrameError: a sample is larger than `maxval`.
    """
    if maxval > 255 and maxval & (maxval + 1) == 0:
        return to_8_bits(samples.astype(np.uint16, copy=False), maxval.bit_length())
    largest = int(samples.max(initial=0))
    if largest > maxval:
        raise FrameError(f"it has the value {largest}, above the maximum of {maxval} in its header")
    scaled: NDArray[np.uint8] = ((samples.astype(np.uint32) * 255 + maxval // 2) // maxval).astype(
        np.uint8
    )
    return scaled
