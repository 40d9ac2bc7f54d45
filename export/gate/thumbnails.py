"""Images in small, as text that fits into JSON and into a page."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.image.thumbnail import thumbnail

MOST = 24
"""Maximum number of images of one precision that are shown."""

_PIXELS = 112 * 112
_LONGEST = 280


def thumbnails(images: NDArray[np.uint8], rows: Sequence[int]) -> list[str]:
    """The first `MOST` of the images in `rows`, in small.

    Args:
        images: uint8, N×H×W.
        rows: numbers of images, as in `Comparison.escaped`.

    Returns:
        A PNG in Base64 for each.
    """
    encoded = (
        cv2.imencode(".png", thumbnail(images[row], pixels=_PIXELS, longest=_LONGEST))[1]
        for row in rows[:MOST]
    )
    return [base64.b64encode(data.tobytes()).decode() for data in encoded]
