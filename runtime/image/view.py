"""View of a frame: its region of interest, gray, in 8 bits.

Training reads images through the same view as the line, so both see the same pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.contract import InputContract
from runtime.artifact.roi import Roi
from runtime.errors import FrameError
from runtime.image.depth import DEPTHS, depth_of, to_8_bits
from runtime.image.gray import require_image, without_colour

_SURELY_16 = DEPTHS[-2]
# A frame with a value above these bits can only be one of 16.


@dataclass(frozen=True)
class View:
    """The part of a camera's frames that a model sees.

    Args:
        roi: region of interest; None for the whole frame.
    """

    roi: Roi | None = None

    @classmethod
    def of(cls, contract: InputContract) -> View:
        """Return the view that a contract states."""
        return cls(contract.roi)

    def describe(self) -> str:
        """Describe it on one line; empty for the whole frame."""
        return "" if self.roi is None else f"ROI {self.roi}"


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


class Viewer:
    """Turns frames into the 8-bit gray that the model sees of them, at their own scale.

    Buffers are kept between frames and made anew only when the frame's size changes. An instance
    serves one thread.

    Args:
        view: what of the frame.
        bits: how many bits of a 16-bit sample are used; None where nothing tells.
    """

    def __init__(self, view: View, *, bits: int | None = None) -> None:
        self.view = view
        self._bits = bits
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
                small, has a value too large for its depth, or a depth that nothing tells.
        """
        require_image(frame)
        gray = self._without_colour(cropped(frame, self.view.roi))
        if gray.dtype == np.uint8:
            return gray.astype(np.uint8, copy=False)
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
        same = self._gray.shape == frame.shape[:2] and self._gray.dtype == frame.dtype
        if frame.ndim == 3 and not same:
            self._gray = np.empty(frame.shape[:2], frame.dtype)
        return without_colour(frame, self._gray)
