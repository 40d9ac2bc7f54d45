"""Frame → region of interest → gray → 8 bits → the model's size, into buffers made once.

What is seen of a frame is stretched to one image, or cut into tiles at its own scale. The rest is
inside the model's graph.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.artifact.contract import InputContract
from runtime.image.cutting import Cutter, Place
from runtime.image.view import FrameView, FrameViewer

MOST_SHRINK = 2.0
"""Shrink factor above which `linear`, which reads two pixels per side, loses thin lines."""


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
        view: what of a frame the model sees, in place of the contract's; a session has its own.
    """

    def __init__(
        self, contract: InputContract, *, bits: int | None = None, view: FrameView | None = None
    ) -> None:
        self._contract = contract
        self._pixels: NDArray[np.uint8] = np.empty((0, 0), np.uint8)
        self._see = FrameViewer(
            FrameView.of(contract) if view is None else view,
            bits=contract.bits if bits is None else bits,
        )
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
            FrameError: the frame has another number of axes, channels or another dtype, is too
                small for the region of interest, has a value too large for its depth, a depth
                that nothing tells, or too many tiles.
        """
        if self._cutter is not None:
            return self._cutter(self._look(frame, bits))
        assert self._batch is not None
        self(frame, self._batch[0, 0], bits=bits)
        return self._batch

    @property
    def pads(self) -> bool:
        """Whether the last frame was smaller than a tile, and was continued by reflection."""
        return self._cutter is not None and self._cutter.pads

    @property
    def seen(self) -> tuple[int, int]:
        """(height, width) of what was seen of the last frame, in its pixels."""
        return self._pixels.shape[0], self._pixels.shape[1]

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """Gray of the last frame, uint8 H×W at its own scale; the next frame overwrites it."""
        return self._pixels

    def place(self, tile: int) -> Place | None:
        """Return where a tile of the last frame lies in the whole of it; None where they stretch.

        Args:
            tile: its number in the batch, from 0.
        """
        if self._cutter is None:
            return None
        place, roi = self._cutter.place(tile), self._see.view.roi
        return (
            place
            if roi is None
            else replace(place, left=place.left + roi.left, top=place.top + roi.top)
        )

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
        pixels = self._look(frame, bits)
        height, width = self._contract.shape
        if pixels.shape == (height, width):
            np.copyto(out, pixels)
            return
        area = interpolation_for((pixels.shape[0], pixels.shape[1]), self._contract) == "area"
        method = cv2.INTER_AREA if area else cv2.INTER_LINEAR
        cv2.resize(pixels, (width, height), dst=out, interpolation=method)

    def _look(self, frame: NDArray[np.generic], bits: int | None) -> NDArray[np.uint8]:
        self._pixels = self._see(frame, bits=bits)
        return self._pixels
