"""Frame → gray → resize, into buffers made once. The rest is inside the model's graph."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.contract import InputContract
from runtime.errors import FrameError

_INTERPOLATION = {"linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}


class Preprocessor:
    """Turns camera frames into the model's input.

    The gray buffer is kept between frames and made anew only when the frame's size changes.
    An instance serves one thread.
    """

    def __init__(self, contract: InputContract) -> None:
        self._contract = contract
        self._interpolation = _INTERPOLATION[contract.interpolation]
        self._gray = np.empty((0, 0), np.uint8)

    def allocate(self, batch: int = 1) -> NDArray[np.uint8]:
        """A buffer for `batch` pictures: uint8, N×1×H×W."""
        return np.zeros((batch, 1, *self._contract.shape), np.uint8)

    def __call__(self, frame: NDArray[np.generic], out: NDArray[np.uint8]) -> None:
        """Write `frame` into `out`.

        Args:
            frame: H×W or H×W×1 (gray), H×W×3 (BGR) or H×W×4 (BGRA); uint8, or uint16 of which
                the upper eight bits are taken.
            out: uint8, `contract.height`×`contract.width`, contiguous.

        Raises:
            FrameError: the frame has another number of axes, channels or another dtype.
        """
        gray = self._to_gray(frame)
        height, width = self._contract.shape
        if gray.shape == (height, width):
            np.copyto(out, gray)
        else:
            cv2.resize(gray, (width, height), dst=out, interpolation=self._interpolation)

    def _to_gray(self, frame: NDArray[np.generic]) -> NDArray[np.uint8]:
        if frame.size == 0 or frame.ndim not in (2, 3):
            raise FrameError(f"a frame of shape {frame.shape} is no picture")
        if frame.dtype == np.uint16:
            frame = np.right_shift(frame, 8, casting="unsafe", dtype=np.uint16).astype(np.uint8)
        if frame.dtype != np.uint8:
            raise FrameError(f"a frame of {frame.dtype} is neither uint8 nor uint16")
        pixels: NDArray[np.uint8] = frame  # type: ignore[assignment]
        if pixels.ndim == 2:
            return pixels
        channels = pixels.shape[2]
        if channels == 1:
            return pixels[:, :, 0]
        if channels not in (3, 4):
            raise FrameError(f"a frame of {channels} channels is neither gray, BGR nor BGRA")
        if self._gray.shape != pixels.shape[:2]:
            self._gray = np.empty(pixels.shape[:2], np.uint8)
        code = cv2.COLOR_BGR2GRAY if channels == 3 else cv2.COLOR_BGRA2GRAY
        cv2.cvtColor(pixels, code, dst=self._gray)
        return self._gray
