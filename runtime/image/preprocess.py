"""Frame → gray → 8 bits → resize, into buffers made once. The rest is inside the model's graph."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.artifact.contract import InputContract
from runtime.errors import FrameError
from runtime.image.depth import DEPTHS, depth_of, to_8_bits

MOST_SHRINK = 2.0
"""Shrink factor above which `linear`, which reads two pixels per side, loses thin lines."""

_SURELY_16 = DEPTHS[-2]
# A frame with a value above these bits can only be one of 16.


def shrink_of(frame: tuple[int, int], model: tuple[int, int]) -> float:
    """Return how many times a frame shrinks to the model's size, on the side that shrinks most."""
    return max(frame[0] / model[0], frame[1] / model[1])


def interpolation_for(frame: tuple[int, int], contract: InputContract) -> str:
    """`linear` or `area`: the contract's, or what its `auto` means for this size of frame.

    Args:
        frame: (height, width) in pixels.
    """
    if contract.interpolation != "auto":
        return contract.interpolation
    return "area" if shrink_of(frame, contract.shape) > MOST_SHRINK else "linear"


class Preprocessor:
    """Turns camera frames into the model's input.

    The gray buffer is kept between frames and made anew only when the frame's size changes.
    An instance serves one thread.

    Args:
        contract: what the model takes.
        bits: how many bits of a 16-bit sample are used, in place of the contract's.
    """

    def __init__(self, contract: InputContract, *, bits: int | None = None) -> None:
        self._contract = contract
        self._bits = contract.bits if bits is None else bits
        self._gray: NDArray[np.generic] = np.empty((0, 0), np.uint8)

    def allocate(self, batch: int = 1) -> NDArray[np.uint8]:
        """A buffer for `batch` images: uint8, N×1×H×W."""
        return np.zeros((batch, 1, *self._contract.shape), np.uint8)

    def __call__(
        self, frame: NDArray[np.generic], out: NDArray[np.uint8], *, bits: int | None = None
    ) -> None:
        """Write `frame` into `out`.

        Args:
            frame: H×W or H×W×1 (gray), H×W×3 (BGR) or H×W×4 (BGRA); uint8 or uint16.
            out: uint8, `contract.height`×`contract.width`, contiguous.
            bits: how many bits of uint16 are used, where the source knows; it goes before
                the contract, for either gives the same 8-bit image.

        Raises:
            FrameError: the frame has another number of axes, channels or another dtype, a value
                too large for its depth, or a depth that nothing tells.
        """
        pixels = self._to_gray(frame, bits)
        height, width = self._contract.shape
        if pixels.shape == (height, width):
            np.copyto(out, pixels)
            return
        area = interpolation_for((pixels.shape[0], pixels.shape[1]), self._contract) == "area"
        method = cv2.INTER_AREA if area else cv2.INTER_LINEAR
        cv2.resize(pixels, (width, height), dst=out, interpolation=method)

    def _depth(self, gray: NDArray[np.generic]) -> int:
        if self._bits is not None:
            return self._bits
        largest = int(gray.max(initial=0))
        if largest >> _SURELY_16:
            return 16
        raise FrameError(
            f"a 16-bit frame with maximum {largest}, as from a {depth_of(largest)}-bit "
            "camera, but the model was trained on 8-bit images: pass the camera's bit "
            "depth with --bits"
        )

    def _to_gray(self, frame: NDArray[np.generic], bits: int | None = None) -> NDArray[np.uint8]:
        gray = self._without_colour(frame)
        if gray.dtype == np.uint8:
            return gray.astype(np.uint8, copy=False)
        return to_8_bits(gray.astype(np.uint16, copy=False), bits or self._depth(gray))

    def _without_colour(self, frame: NDArray[np.generic]) -> NDArray[np.generic]:
        if frame.size == 0 or frame.ndim not in (2, 3):
            raise FrameError(f"a frame of shape {frame.shape} is not an image")
        if frame.dtype not in (np.uint8, np.uint16):
            raise FrameError(f"a frame of {frame.dtype} is not uint8 or uint16")
        if frame.ndim == 2:
            return frame
        channels = frame.shape[2]
        if channels == 1:
            return frame[:, :, 0]
        if channels not in (3, 4):
            raise FrameError(f"a frame of {channels} channels is not gray, BGR or BGRA")
        if self._gray.shape != frame.shape[:2] or self._gray.dtype != frame.dtype:
            self._gray = np.empty(frame.shape[:2], frame.dtype)
        code = cv2.COLOR_BGR2GRAY if channels == 3 else cv2.COLOR_BGRA2GRAY
        cv2.cvtColor(frame, code, dst=self._gray)
        return self._gray
