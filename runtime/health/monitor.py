"""Judgement of a camera's frames by their health, one after the other."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.roi import Roi
from runtime.errors import FrameError
from runtime.health.clock import ClockWatch
from runtime.health.faults import HealthFault
from runtime.health.limits import HealthLimits
from runtime.health.statistics import FrameStatistics, measure
from runtime.health.still import Still
from runtime.image.gray import BLACK_UP_TO, SATURATED_FROM, WHITE, require_image
from runtime.image.view import cropped

REMEMBERED = 4
"""Frames that a new one may repeat: drivers hand out old buffers of a short ring."""

_Form = tuple[tuple[int, ...], np.dtype[np.generic]]  # shape and type of a frame
_Recent = deque[tuple[tuple[float, float], NDArray[np.generic]]]


@dataclass(frozen=True)
class Source:
    """Expectations of a source of frames.

    Args:
        sequence: frames follow each other and have one size: a camera or a video. False for
            images that have nothing to do with each other.
        live: they come from a sensor, so that no two are alike to the last bit.
    """

    sequence: bool = True
    live: bool = True


@dataclass(frozen=True)
class HealthFinding:
    """A fault, and what shows it in words."""

    fault: HealthFault
    words: str

    @property
    def reason(self) -> str:
        """The stable name, then the words."""
        return f"{self.fault}: {self.words}"


class HealthMonitor:
    """Looks at every frame, in the order in which they came. It has no clock of its own.

    Args:
        limits: what is at fault.
        source: what is expected.
        roi: the part that is judged, which alone is looked at; None for whole frames.
    """

    def __init__(self, limits: HealthLimits, source: Source, roi: Roi | None = None) -> None:
        self._limits = limits
        self._source = source
        self._roi = roi
        self._clock = ClockWatch(limits.clock_jump_s)
        # The share of pixels at an end of the scale is counted only where the mean leaves room.
        self._dark_up_to = _most_mean(limits.black_above)
        self._bright_from = _least_mean(limits.saturated_above)
        self._form: _Form | None = None
        self._before: _Form | None = None
        self._recent: _Recent = deque(maxlen=REMEMBERED)
        self._still: Still | None = None
        self._still_since_ns = 0
        self._still_frames = 0

    def change(self, limits: HealthLimits) -> None:
        """Hold the next frames to other limits."""
        if limits.clock_jump_s != self._limits.clock_jump_s:
            self._clock = ClockWatch(limits.clock_jump_s)
        self._limits = limits

    def examine(
        self, pixels: NDArray[np.generic], at_ns: int, *, bits: int | None = None
    ) -> HealthFinding | None:
        """Return the first fault of a frame, in the order of `OF_A_FRAME`; None for a good one.

        A frame that is not an image is nobody's fault here: whoever judges it says what it is.

        Args:
            pixels: as a camera delivers them, uint8 or uint16.
            at_ns: monotonic nanoseconds when it was at hand.
            bits: how many bits of uint16 are used.
        """
        try:
            require_image(pixels)
        except FrameError:
            return None
        sequence = self._source.sequence
        other = self._other_size((pixels.shape, pixels.dtype)) if sequence else None
        try:
            seen = cropped(pixels, self._roi)
        except FrameError as error:
            return other or HealthFinding(HealthFault.SIZE_CHANGED, str(error))
        found = measure(seen, bits=bits)
        return (
            other
            or self._light(found)
            or (self._repetition(found, seen) if self._source.live else None)
            or (self._standstill(found, at_ns) if sequence else None)
        )

    def examine_clock(self, device_ns: int | None, at_ns: int) -> HealthFinding | None:
        """Return what is wrong with a frame's timestamp; None where it has none, or a good one.

        Args:
            device_ns: of the camera's own clock.
            at_ns: monotonic nanoseconds when the frame was at hand.
        """
        wrong = "" if device_ns is None else self._clock.wrong(device_ns, at_ns)
        return HealthFinding(HealthFault.CLOCK, wrong) if wrong else None

    def _other_size(self, form: _Form) -> HealthFinding | None:
        """Compare with the form that first came twice in a row, until then with the last one."""
        before, self._before = self._before, form
        if self._form is None and form == before:
            self._form = form
        expected = self._form or before
        if expected is None or form == expected:
            return None
        return HealthFinding(
            HealthFault.SIZE_CHANGED, f"the frame is {_named(form)}, not {_named(expected)}"
        )

    def _light(self, found: FrameStatistics) -> HealthFinding | None:
        limits, mean = self._limits, found.mean
        black = found.black if mean <= self._dark_up_to else 0.0
        if mean < limits.dark_below or black > limits.black_above:
            words = f"mean brightness {mean:.1%}, {found.black:.1%} of the pixels black"
            return HealthFinding(HealthFault.DARK, words)
        saturated = found.saturated if mean >= self._bright_from else 0.0
        if mean > limits.bright_above or saturated > limits.saturated_above:
            words = f"mean brightness {mean:.1%}, {found.saturated:.1%} of the pixels saturated"
            return HealthFinding(HealthFault.BRIGHT, words)
        return None

    def _repetition(
        self, found: FrameStatistics, pixels: NDArray[np.generic]
    ) -> HealthFinding | None:
        key = found.key
        for back, (other, earlier) in enumerate(reversed(self._recent), 1):
            if key == other and np.array_equal(earlier, pixels):
                which = "the frame before" if back == 1 else f"the frame {back} before"
                return HealthFinding(HealthFault.REPEATED, f"every pixel is that of {which}")
        self._recent.append((key, pixels))
        return None

    def _standstill(self, found: FrameStatistics, at_ns: int) -> HealthFinding | None:
        limits = self._limits
        if self._still is None or not self._still.shows_the_same(
            found, structure=limits.still_structure, share=limits.still_share
        ):
            self._still, self._still_since_ns, self._still_frames = Still(found), at_ns, 1
            return None
        self._still_frames += 1
        seconds = (at_ns - self._still_since_ns) / 1e9
        if self._still_frames <= limits.frozen_frames:
            return None
        if self._source.live and seconds < limits.frozen_s:
            return None
        since = f" in {seconds:.1f} s" if self._source.live else ""
        words = f"nothing but noise has changed over {self._still_frames} frames{since}"
        return HealthFinding(HealthFault.FROZEN, words)


def _most_mean(black: float) -> float:
    """The highest mean of a frame with that share of black pixels, as a share of white."""
    return 1 - black * (1 - BLACK_UP_TO / WHITE)


def _least_mean(saturated: float) -> float:
    """The lowest mean of a frame with that share of saturated pixels."""
    return saturated * SATURATED_FROM / WHITE


def _named(form: _Form) -> str:
    shape, dtype = form
    return f"{'x'.join(map(str, shape))} {dtype}"
