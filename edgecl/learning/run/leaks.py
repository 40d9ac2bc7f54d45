"""Images that pretraining must not see: copies of those that a run is validated and tested on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecl.data.pixels.selection import ImageRows

THUMBNAIL = 32
# Re-encoded copies of one image correlate above 0.998. So do smooth images under the same lamp,
# whose shading is all that a thumbnail shows of them, and images of one line camera, whose columns
# differ in gain. Without both, 25 of the 16,630 pairs of GC10-DET that shading and columns joined
# are left, which are copies; all 900 images that SD-saliency-900 took from NEU correlate at 0.95
# and more, and at JPEG quality 40 and half the size all but one of NEU at 0.6 and more.
COPY_CORRELATION = 0.98
FINE_CORRELATION = 0.5
SHADING_SIGMA = 2.0
# Images that are compared at a time, so that memory does not grow with the product.
_BLOCK = 2048
# How a note begins that no figure may go without.
LEAK = "leaks:"


def thumbnails(images: ImageRows) -> NDArray[np.uint8]:
    """Shrink images to the thumbnails by which they are recognised, uint8 N×32×32.

    Args:
        images: uint8, N×H×W, or of any size.
    """
    size = (THUMBNAIL, THUMBNAIL)
    small = np.empty((len(images), *size), np.uint8)
    for image, place in zip(images, small, strict=True):
        cv2.resize(image, size, dst=place, interpolation=cv2.INTER_AREA)
    return small


def copies_of(images: ImageRows, others: ImageRows) -> NDArray[np.bool_]:
    """Return which of `images` show, re-encoded or not, the same image as one of `others`.

    Two images count as copies when their thumbnails correlate above `COPY_CORRELATION`, and above
    `FINE_CORRELATION` without shading and stripes. Shifted overlaps are not found this way.

    Args:
        images: uint8, N×H×W; thumbnails will do.
        others: uint8, M×H×W; likewise.

    Returns:
        bool, N.
    """
    found = np.zeros(len(images), np.bool_)
    if not len(images) or not len(others):
        return found
    mine, theirs = thumbnails(images), thumbnails(others)
    coarse = [_coarse(some) for some in (mine, theirs)]
    for start in range(0, len(mine), _BLOCK):
        for other in range(0, len(theirs), _BLOCK):
            rows = start + np.flatnonzero(~found[start : start + _BLOCK])
            # Never below the correlation, so that nothing is missed, and 15 times quicker.
            most = coarse[0][rows] @ coarse[1][other : other + _BLOCK].T
            near = most > COPY_CORRELATION
            # An image that one block has found needs no other one.
            one, place = (np.flatnonzero(near.any(axis=axis)) for axis in (1, 0))
            if len(one):
                alike = _alike(mine[rows[one]], theirs[other + place])
                found[rows[one[alike]]] = True
    return found


def leak_note(count: int, total: int, what: str) -> str:
    """The note that marks every figure of a run whose pretraining saw held-out images."""
    return (
        f"{LEAK} {count} of {total} {what} are copies of validation or test images; "
        "--allow-leak let them into pretraining"
    )


def _alike(mine: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which of N thumbnails are copies of one of M."""
    one, other = mine.astype(np.float32), theirs.astype(np.float32)
    alike = _unit(one) @ _unit(other).T > COPY_CORRELATION
    finely = _unit(_content(one)) @ _unit(_content(other)).T > FINE_CORRELATION
    found: NDArray[np.bool_] = np.any(alike & finely, axis=1)
    return found


def _coarse(small: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Shorten the unit vectors of thumbnails to 65 numbers, float32 N×65.

    These are the slowest waves, and the length of what they leave out: the product of two of them
    is at least the correlation of the thumbnails.
    """
    short = np.empty((len(small), len(_WAVES.T) + 1), np.float32)
    for start in range(0, len(small), _BLOCK):
        unit = _unit(small[start : start + _BLOCK].astype(np.float32))
        waves = unit @ _WAVES
        rest = np.maximum(1 - (waves * waves).sum(axis=1), 0)
        # A little more than exact, for the rounding.
        short[start : start + _BLOCK] = np.column_stack((waves, np.sqrt(rest + 1e-5)))
    return short


def _slow_waves() -> NDArray[np.float32]:
    """1024×64: the orthonormal cosine waves of up to seven half periods in either direction."""
    place = np.arange(THUMBNAIL) + 0.5
    wave = np.cos(np.pi * place * np.arange(8)[:, None] / THUMBNAIL)
    wave /= np.linalg.norm(wave, axis=1, keepdims=True)
    both = wave[:, None, :, None] * wave[None, :, None, :]
    return both.reshape(64, -1).T.astype(np.float32)


def _content(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """Remove slow variation, and stripes along either side, from thumbnails, N×32×32."""
    fine = np.empty_like(small)
    for image, place in zip(small, fine, strict=True):
        np.subtract(image, cv2.GaussianBlur(image, (0, 0), SHADING_SIGMA), out=place)
    fine -= fine.mean(axis=1, keepdims=True)
    fine -= fine.mean(axis=2, keepdims=True)
    return fine


def _unit(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """Centred unit vectors, float32 N×1024."""
    vectors = small.reshape(len(small), -1)
    vectors = vectors - vectors.mean(axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-6)
    return unit


_WAVES = _slow_waves()
