"""Gray of a frame as it is delivered, and the ends of its scale."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import FrameError

WHITE = 255.0
BLACK_UP_TO = 4.0
SATURATED_FROM = 251.0
"""Levels at the ends of the scale, of 0 to 255."""

# Types as arrays have them: NumPy takes its time to compare those with its scalar classes.
_SAMPLES = (np.dtype(np.uint8), np.dtype(np.uint16))


def require_image(frame: NDArray[np.generic]) -> None:
    """Require H×W, H×W×1, H×W×3 (BGR) or H×W×4 (BGRA) of uint8 or uint16.

    Raises:
        FrameError: it is empty, or of another form.
    """
    if frame.size == 0 or frame.ndim not in (2, 3):
        raise FrameError(f"a frame of shape {frame.shape} is not an image")
    if frame.dtype not in _SAMPLES:
        raise FrameError(f"a frame of {frame.dtype} is not uint8 or uint16")
    if frame.ndim == 3 and frame.shape[2] not in (1, 3, 4):
        raise FrameError(f"a frame of {frame.shape[2]} channels is not gray, BGR or BGRA")


def without_colour(
    frame: NDArray[np.generic], buffer: NDArray[np.generic] | None = None
) -> NDArray[np.generic]:
    """Return a frame's gray, H×W, with the samples that it has.

    Args:
        frame: see `require_image`. A gray one comes back as it is.
        buffer: H×W of the same type, which the gray of a colour frame is written to.

    Raises:
        FrameError: no image, see `require_image`.
    """
    require_image(frame)
    if frame.ndim == 2:
        return frame
    channels = frame.shape[2]
    if channels == 1:
        return frame[:, :, 0]
    code = cv2.COLOR_BGR2GRAY if channels == 3 else cv2.COLOR_BGRA2GRAY
    return np.asarray(cv2.cvtColor(frame, code, dst=buffer))
