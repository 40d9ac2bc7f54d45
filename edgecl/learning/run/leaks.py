"""Images that pretraining must not see: copies of those that a run is validated and tested on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecl.data.pixels.selection import ImageRows

THUMBNAIL = 32
# Re-encoded copies of one image correlate above 0.998. So do, now and then, smooth images under
# the same lamp, whose shading is all that a thumbnail shows of them: without it, what is left
# correlated at 0.84 and more for copies that were shrunk and saved at JPEG quality 40, and at 0.44
# at most for others (NEU against GC10-DET and CR7).
COPY_CORRELATION = 0.98
FINE_CORRELATION = 0.65
SHADING_SIGMA = 2.0
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
    `FINE_CORRELATION` without their shading. Shifted overlaps are not found this way.

    Args:
        images: uint8, N×H×W; thumbnails will do.
        others: uint8, M×H×W; likewise.

    Returns:
        bool, N.
    """
    if not len(images) or not len(others):
        return np.zeros(len(images), np.bool_)
    mine, theirs = (thumbnails(some).astype(np.float32) for some in (images, others))
    alike = _unit(mine) @ _unit(theirs).T > COPY_CORRELATION
    finely = _unit(_without_shading(mine)) @ _unit(_without_shading(theirs)).T > FINE_CORRELATION
    found: NDArray[np.bool_] = np.any(alike & finely, axis=1)
    return found


def leak_note(count: int, total: int, what: str) -> str:
    """The note that marks every figure of a run whose pretraining saw held-out images."""
    return (
        f"{LEAK} {count} of {total} {what} are copies of validation or test images; "
        "--allow-leak let them into pretraining"
    )


def _without_shading(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """Remove slow variation from thumbnails, N×32×32."""
    smooth = [cv2.GaussianBlur(image, (0, 0), SHADING_SIGMA) for image in small]
    fine: NDArray[np.float32] = small - np.stack(smooth)
    return fine


def _unit(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """Centred unit vectors, float32 N×1024."""
    vectors = small.reshape(len(small), -1)
    vectors = vectors - vectors.mean(axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-6)
    return unit
