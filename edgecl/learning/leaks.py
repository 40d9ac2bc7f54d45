"""Pictures that pretraining must not see: copies of those that a run is validated and tested on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecl.data.store import Selection

# Re-encoded copies of one picture correlate above 0.998 at this size.
THUMBNAIL = 32
COPY_CORRELATION = 0.98
# How a note begins that no figure may go without.
LEAK = "leaks:"


def thumbnails(images: NDArray[np.uint8] | Selection) -> NDArray[np.uint8]:
    """What is kept of pictures to know them again, uint8 N×32×32.

    Args:
        images: uint8, N×H×W.
    """
    size = (THUMBNAIL, THUMBNAIL)
    small = np.empty((len(images), *size), np.uint8)
    for image, place in zip(images, small, strict=True):
        cv2.resize(image, size, dst=place, interpolation=cv2.INTER_AREA)
    return small


def copies_of(images: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of `images` show, re-encoded or not, the same picture as one of `others`.

    Two pictures count as copies when their thumbnails correlate above `COPY_CORRELATION`. Shifted
    overlaps are not found this way.

    Args:
        images: uint8, N×H×W; thumbnails will do.
        others: uint8, M×H×W; likewise.

    Returns:
        bool, N.
    """
    if not len(images) or not len(others):
        return np.zeros(len(images), np.bool_)
    likeness = _unit(thumbnails(images)) @ _unit(thumbnails(others)).T
    found: NDArray[np.bool_] = likeness.max(axis=1) > COPY_CORRELATION
    return found


def leak_note(count: int, total: int, what: str) -> str:
    """The note that marks every figure of a run whose pretraining saw held-out pictures."""
    return (
        f"{LEAK} {count} of {total} {what} are copies of validation or test pictures, and "
        f"--allow-leak let them into pretraining"
    )


def _unit(small: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Centred unit vectors, float32 N×1024."""
    vectors = small.reshape(len(small), -1).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-6)
    return unit
