"""View of a frame: its region of interest, gray, without the camera's flat-field, in 8 bits.

Training reads images through the same view as the line, so both see the same pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.contract import InputContract
from runtime.artifact.roi import Roi
from runtime.errors import FrameError, InputError
from runtime.image.depth import DEPTHS, depth_of, require_depth, to_8_bits
from runtime.image.flat.field import Corrector, FlatField
from runtime.image.gray import require_image, without_colour

_BYTES = np.dtype(np.uint8)
_SURELY_16 = DEPTHS[-2]
# A frame with a value above these bits can only be one of 16.


@dataclass(frozen=True)
class FrameView:
    """The part of a camera's frames that a model sees, and what is corrected in it.

    Args:
        roi: region of interest; None for the whole frame.
        flat: of the whole frame; None for frames as they come.
    """

    roi: Roi | None = None
    flat: FlatField | None = None

    @classmethod
    def of(cls, contract: InputContract) -> FrameView:
        """Return the view that a contract states by itself.

        Raises:
            InputError: the contract wants a flat-field, which is a file.
        """
        if contract.flat is not None:
            raise InputError(
                "the model was trained on images corrected with a flat-field (SHA-256 "
                f"{contract.flat[:12]}…), which does not lie beside it",
                hint="pass the whole bundle, or the file with --flat",
            )
        return cls(contract.roi)

    @property
    def deep_bits(self) -> int | None:
        """Used bits of 16, of the camera that the flat-field is of; None where nothing tells."""
        deep = self.flat is not None and self.flat.record.dtype == "uint16"
        return self.flat.record.bits if deep and self.flat is not None else None

    def describe(self) -> str:
        """Describe it on one line; empty for whole frames as they come."""
        roi = None if self.roi is None else f"ROI {self.roi}"
        flat = None if self.flat is None else self.flat.describe()
        return ", ".join(filter(None, (roi, flat)))


def cropped(frame: NDArray[np.generic], roi: Roi | None) -> NDArray[np.generic]:
    """Return the region of interest of a frame, a view of its pixels.

    Args:
        frame: H×W or H×W×C.
        roi: None for the whole frame.

    Raises:
        FrameError: the frame is too small for it.
    """
    if roi is None:
        return frame
    size = (frame.shape[0], frame.shape[1])
    if not roi.fits(size):
        raise FrameError(roi.misfit(size))
    return frame[roi.top : roi.top + roi.height, roi.left : roi.left + roi.width]


class FrameViewer:
    """Turns frames into the 8-bit gray that the model sees of them, at their own scale.

    Buffers are kept between frames and made anew only when the frame's size changes. An instance
    serves one thread.

    Args:
        view: what of the frame.
        bits: how many bits of a 16-bit sample are used; None where nothing tells.
    """

    def __init__(self, view: FrameView, *, bits: int | None = None) -> None:
        self.view = view
        self._bits = bits
        self._correct = None if view.flat is None else Corrector(view.flat, view.roi)
        self._gray: NDArray[np.generic] = np.empty((0, 0), np.uint8)
        self._eight: NDArray[np.uint8] = np.empty((0, 0), np.uint8)

    def __call__(self, frame: NDArray[np.generic], *, bits: int | None = None) -> NDArray[np.uint8]:
        """Return what the model sees of a frame.

        Args:
            frame: H×W or H×W×1 (gray), H×W×3 (BGR) or H×W×4 (BGRA); uint8 or uint16.
            bits: how many bits of uint16 are used, where the source knows; it goes before
                those of the viewer, for either gives the same 8-bit image.

        Returns:
            uint8, H×W of the region of interest: part of the frame, or the viewer's own buffer,
            which the next frame overwrites.

        Raises:
            FrameError: the frame has another number of axes, channels or another dtype, is too
                small, has a value too large for its depth, a depth that nothing tells, or another
                size or depth than the flat-field.
        """
        require_image(frame)
        part = cropped(frame, self.view.roi)
        if self.view.flat is not None:
            size = (frame.shape[0], frame.shape[1])
            self.view.flat.require(size, frame.dtype, bits or self._bits)
        gray = self._without_colour(part)
        if self._correct is not None:
            if self.view.deep_bits is not None:
                require_depth(gray, self.view.deep_bits)
            return self._correct(gray)
        if gray.dtype == _BYTES:
            return gray  # type: ignore[return-value]
        if self._eight.shape != gray.shape:
            self._eight = np.empty(gray.shape, np.uint8)
        samples = gray.astype(np.uint16, copy=False)
        return to_8_bits(samples, bits or self._depth(gray), self._eight)

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

    def _without_colour(self, frame: NDArray[np.generic]) -> NDArray[np.generic]:
        if frame.ndim == 2:
            return frame
        same = self._gray.shape == frame.shape[:2] and self._gray.dtype == frame.dtype
        if not same:
            self._gray = np.empty(frame.shape[:2], frame.dtype)
        return without_colour(frame, self._gray)
