"""Frame → gray → 8 bits → the model's size, into buffers made once.

A frame is stretched to one image, or cut into tiles at its own scale. The rest is inside the
model's graph.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.artifact.contract import InputContract
from runtime.errors import FrameError
from runtime.image.cutting import Cutter, Place
from runtime.image.depth import DEPTHS, depth_of, to_8_bits
from runtime.image.gray import without_colour

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
    """Turns camera frames into the model's input: stretched to one image, or cut into tiles.

    Buffers are kept between frames and made anew only when the frame's size changes. An instance
    serves one thread.

    Args:
        contract: what the model takes.
        bits: how many bits of a 16-bit sample are used, in place of the contract's.
    """

    def __init__(self, contract: InputContract, *, bits: int | None = None) -> None:
        self._contract = contract
        self._bits = contract.bits if bits is None else bits
        self._gray: NDArray[np.generic] = np.empty((0, 0), np.uint8)
        self._eight: NDArray[np.uint8] = np.empty((0, 0), np.uint8)
        self._cutter = None if contract.tiling is None else Cutter(contract.tiling)
        self._batch = self.allocate() if self._cutter is None else None

    def prepare(self, frame: NDArray[np.generic], *, bits: int | None = None) -> NDArray[np.uint8]:
        """Return all that the model has to see of a frame.

        Args:
            frame: H×W or H×W×1 (gray), H×W×3 (BGR) or H×W×4 (BGRA); uint8 or uint16.
            bits: how many bits of uint16 are used, where the source knows; it goes before
                the contract, for either gives the same 8-bit image.

        Returns:
            uint8, T×1×height×width: one image where frames are stretched, else the frame's tiles,
            row by row. It is the preprocessor's own buffer, which the next frame overwrites.

        Raises:
            FrameError: the frame has another number of axes, channels or another dtype, a value
                too large for its depth, a depth that nothing tells, or too many tiles.
        """
        if self._cutter is not None:
            return self._cutter(self._to_gray(frame, bits))
        assert self._batch is not None
        self(frame, self._batch[0, 0], bits=bits)
        return self._batch

    def gray(self, frame: NDArray[np.generic], *, bits: int | None = None) -> NDArray[np.uint8]:
        """Return a frame as the model sees it, at its own size.

        Args:
            frame, bits: as for `prepare`.

        Returns:
            uint8, H×W: the frame itself or the preprocessor's own buffer, which the next frame
            overwrites.

        Raises:
            FrameError: as for `prepare`, but for the number of tiles.
        """
        return self._to_gray(frame, bits)

    @property
    def pads(self) -> bool:
        """Whether the last frame was smaller than a tile, and was continued by reflection."""
        return self._cutter is not None and self._cutter.pads

    def place(self, tile: int) -> Place | None:
        """Return where a tile of the last frame lies in it; None where frames are stretched.

        Args:
            tile: its number in the batch, from 0.
        """
        return None if self._cutter is None else self._cutter.place(tile)

    def allocate(self, batch: int = 1) -> NDArray[np.uint8]:
        """A buffer for `batch` images: uint8, N×1×H×W."""
        return np.zeros((batch, 1, *self._contract.shape), np.uint8)

    def __call__(
        self, frame: NDArray[np.generic], out: NDArray[np.uint8], *, bits: int | None = None
    ) -> None:
        """Write `frame`, stretched, into a buffer of the caller's: for sets of images.

        Args:
            frame: as for `prepare`.
            out: uint8, `contract.height`×`contract.width`, contiguous.
            bits: as for `prepare`.

        Raises:
            FrameError: as for `prepare`.
            ValueError: the contract cuts frames into tiles.
        """
        if self._cutter is not None:
            raise ValueError("this contract cuts frames into tiles: use prepare")
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
        if self._eight.shape != gray.shape:
            self._eight = np.empty(gray.shape, np.uint8)
        samples = gray.astype(np.uint16, copy=False)
        return to_8_bits(samples, bits or self._depth(gray), self._eight)

    def _without_colour(self, frame: NDArray[np.generic]) -> NDArray[np.generic]:
        same = self._gray.shape == frame.shape[:2] and self._gray.dtype == frame.dtype
        if frame.ndim == 3 and not same:
            self._gray = np.empty(frame.shape[:2], frame.dtype)
        return without_colour(frame, self._gray)
