"""Flat-field of a camera: what its sensor, lens and lamp add to a frame, and its removal."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.artifact.roi import Roi
from runtime.errors import FrameError
from runtime.files.document import Document

Per = Literal["column", "pixel"]
PER: tuple[Per, ...] = ("column", "pixel")

MOST_GAIN = 8.0
"""Largest factor that a pixel is multiplied by, and one over the smallest. One that would need
more is dead: all that a larger factor would show is its noise."""

BAND = 128
"""Rows that are corrected at a time: the maps of a line camera need no more, however high its
frames are."""

_MOST_NAMED = 8


class FlatRecord(Document, frozen=True, kw_only=True):
    """Description inside the file of a flat-field.

    Args:
        camera: its name.
        recorded: the wall clock, ISO 8601.
        per: `column` for one value per column, of frames of any height; `pixel` for each pixel.
        height, width: of the frames that it was recorded from, in pixels.
        dtype: of their samples.
        bits: how many bits of a sample are used.
        frames: of which each of the two is the mean.
        noise: of a single bright frame, root mean square over time, in levels of the camera.
        edgecl_version: that recorded it.
    """

    WHAT: ClassVar[str] = "the description of a flat-field"
    REMEDY: ClassVar[str] = "record it again with 'edgecl camera --record-flat'"

    schema: Literal[1] = 1
    camera: str
    recorded: str
    per: Per
    height: int
    width: int
    dtype: Literal["uint8", "uint16"]
    bits: int
    frames: int
    noise: float
    edgecl_version: str = ""


@dataclass(frozen=True, eq=False)
class FlatField:
    """Dark and bright frame of a camera.

    Args:
        record: their origin.
        dark: float32, H×W, or 1×W per column, with the lens covered, in levels of the camera.
        bright: likewise, of a uniform target.
        digest: SHA-256 of the file, in hexadecimal.
    """

    record: FlatRecord
    dark: NDArray[np.float32]
    bright: NDArray[np.float32]
    digest: str = ""

    @cached_property
    def gain(self) -> NDArray[np.float32]:
        """Factors, float32, as `dark`: the mean of bright − dark over each value of it."""
        response = self.bright - self.dark
        mean = np.float32(response.mean(dtype=np.float64))
        lively = np.maximum(response, mean / np.float32(MOST_GAIN))
        return np.asarray(np.maximum(mean / lively, np.float32(1 / MOST_GAIN)), np.float32)

    @cached_property
    def dead(self) -> NDArray[np.int64]:
        """Places, int64 N×2 (row, column), that would need a larger factor than `MOST_GAIN`."""
        response = self.bright - self.dark
        return np.argwhere(response * MOST_GAIN < response.mean(dtype=np.float64))

    def dead_named(self) -> list[str]:
        """Name dead columns, or pixels as `LEFT,TOP`, the first ones of many."""
        shown = self.dead[:_MOST_NAMED].tolist()
        if self.record.per == "column":
            return [str(column) for _, column in shown]
        return [f"{column},{row}" for row, column in shown]

    def describe(self) -> str:
        """Describe it on one line."""
        return (
            f"flat-field of {self.record.camera} per {self.record.per}, recorded "
            f"{self.record.recorded}"
        )

    def require(self, size: tuple[int, int], dtype: object, bits: int | None) -> None:
        """Require frames like those that it was recorded from.

        Args:
            size: (height, width) of a frame; per column, any height will do.
            dtype: of its samples.
            bits: how many of 16 bits are used; None where nothing tells.

        Raises:
            FrameError: they are of another size or depth.
        """
        record = self.record
        if size[1] != record.width or (record.per == "pixel" and size[0] != record.height):
            own = f"{record.width} wide"
            own += f" and {record.height} high" if record.per == "pixel" else ""
            raise FrameError(
                f"the frame is {size[1]} wide and {size[0]} high, but the flat-field is {own}"
            )
        found = bits or record.bits if dtype == np.uint16 else 8
        if str(dtype) != record.dtype or found != record.bits:
            raise FrameError(
                f"the frame is {dtype} with {found} bits, but the flat-field is {record.dtype} "
                f"with {record.bits}"
            )


class Corrector:
    """Removes a flat-field from frames: (frame − dark) · gain, rounded to 8 bits and clipped.

    Its buffers are kept between frames and made anew only when the frame's size changes. An
    instance serves one thread. Every pixel is computed alike, whatever the frame's size and the
    region, so that training and line agree to the last bit.

    Args:
        flat: of the whole frame.
        roi: region of interest that the frames are cut to already; None for whole frames.
    """

    def __init__(self, flat: FlatField, roi: Roi | None = None) -> None:
        to_8_bits = np.float32(1 << (flat.record.bits - 8))
        across = slice(None) if roi is None else slice(roi.left, roi.left + roi.width)
        maps = [flat.dark[:, across], flat.gain[:, across] / to_8_bits]
        self._per_column = flat.record.per == "column"
        if self._per_column:
            maps = [np.repeat(one, BAND, axis=0) for one in maps]
        elif roi is not None:
            maps = [one[roi.top : roi.top + roi.height] for one in maps]
        self._dark, self._gain = (np.ascontiguousarray(one) for one in maps)
        self._band = np.empty((BAND, self._dark.shape[1]), np.float32)
        self._out: NDArray[np.uint8] = np.empty((0, 0), np.uint8)

    def __call__(self, gray: NDArray[np.generic]) -> NDArray[np.uint8]:
        """Correct a frame.

        Args:
            gray: uint8 or uint16, H×W, as the flat-field and the region say.

        Returns:
            uint8, H×W: the corrector's own buffer, which the next frame overwrites.
        """
        if self._out.shape != gray.shape:
            self._out = np.empty(gray.shape, np.uint8)
        for top in range(0, len(gray), BAND):
            rows = gray[top : top + BAND]
            start = 0 if self._per_column else top
            place = slice(start, start + len(rows))
            band = self._band[: len(rows)]
            np.copyto(band, rows)
            cv2.subtract(band, self._dark[place], dst=band)
            # Rounds to the nearest and clips, in the pass that multiplies.
            cv2.multiply(band, self._gain[place], dst=self._out[top : top + BAND], dtype=cv2.CV_8U)
        return self._out
