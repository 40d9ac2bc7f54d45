"""Recording of a flat-field: means of frames, and whether they are fit for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.errors import InputError
from runtime.image.flat.field import FlatField, FlatRecord, Per
from runtime.image.gray import SATURATED_FROM, WHITE

MOST_SATURATED = 0.001
"""Share of saturated samples up to which a bright frame is usable."""

MOST_DARK = 0.1
"""Share of white that a dark frame may have."""

LEAST_RESPONSE = 0.1
"""Share of white by which a bright frame must be brighter than the dark one."""

MOST_UNEVEN = 0.1
"""Difference between rows, as a share of the mean, beyond which one value per column is told of."""

_AGAIN = "and record the flat-field again"


@dataclass(frozen=True)
class FrameForm:
    """Form of a camera's frames: (height, width) in pixels, type, and used bits of a sample."""

    size: tuple[int, int]
    dtype: str
    bits: int

    @property
    def white(self) -> int:
        """The largest level."""
        return (1 << self.bits) - 1

    def describe(self) -> str:
        """Describe it in words."""
        return f"{self.size[1]} wide and {self.size[0]} high, {self.dtype} with {self.bits} bits"


class FrameMean:
    """Mean of frames that show the same, and their noise over time.

    Args:
        what: `dark` or `bright`, for messages.
        form: of the frames.
    """

    def __init__(self, what: str, form: FrameForm) -> None:
        self.form = form
        self.count = 0
        self._what = what
        self._sum = np.zeros(form.size, np.float64)
        self._squares = np.zeros(form.size, np.float64)
        self._saturated = 0

    def add(self, gray: NDArray[np.generic], form: FrameForm) -> None:
        """Add a frame.

        Args:
            gray: uint8 or uint16, H×W.
            form: its own.

        Raises:
            InputError: it has another form than the first one.
        """
        if form != self.form:
            raise InputError(
                f"a {self._what} frame is {form.describe()}, but those before were "
                f"{self.form.describe()}",
                hint=f"keep the camera's settings, {_AGAIN}",
            )
        levels = gray.astype(np.float64)
        self._sum += levels
        self._squares += levels * levels
        self._saturated += int(np.count_nonzero(levels >= SATURATED_FROM / WHITE * form.white))
        self.count += 1

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of each pixel, in levels."""
        return self._sum / self.count

    @property
    def noise(self) -> float:
        """Standard deviation over time, root mean square over all pixels, in levels."""
        variance = self._squares / self.count - self.mean**2
        scale = self.count / (self.count - 1) if self.count > 1 else 1.0
        return float(np.sqrt(max(0.0, float(variance.mean()) * scale)))

    @property
    def saturated(self) -> float:
        """Share of saturated samples, 0 to 1."""
        return self._saturated / (self._sum.size * self.count)


def flat_of(
    dark: FrameMean, bright: FrameMean, *, per: Per, camera: str, recorded: str, version: str
) -> FlatField:
    """Make a flat-field of two means.

    Args:
        per: `column` or `pixel`.
        camera: its name.
        recorded: the wall clock, ISO 8601.
        version: edgecl's.

    Raises:
        InputError: they differ in form, the dark one is light, or the bright one is saturated or
            hardly brighter.
    """
    if dark.form != bright.form:
        raise InputError(
            f"the dark frames are {dark.form.describe()}, but the bright ones "
            f"{bright.form.describe()}",
            hint=f"keep the camera's settings, {_AGAIN}",
        )
    white = dark.form.white
    black, light = dark.mean, bright.mean
    if black.mean() > MOST_DARK * white:
        raise InputError(
            f"the dark frame is light: {black.mean() / white:.1%} of white on average, and at most "
            f"{MOST_DARK:.0%} is dark",
            hint=f"cover the lens, {_AGAIN}",
        )
    if bright.saturated > MOST_SATURATED:
        raise InputError(
            f"the bright frame is saturated in {bright.saturated:.1%} of its pixels",
            hint=f"shorten the exposure or dim the lamp, {_AGAIN}",
        )
    response = (light.mean() - black.mean()) / white
    if response < LEAST_RESPONSE:
        raise InputError(
            f"the bright frame is only {response:.1%} of white brighter than the dark one",
            hint=f"light a uniform target to about two thirds of white, {_AGAIN}",
        )
    if per == "column":
        black, light = (one.mean(axis=0, keepdims=True) for one in (black, light))
    record = FlatRecord(
        camera=camera,
        recorded=recorded,
        per=per,
        height=dark.form.size[0],
        width=dark.form.size[1],
        dtype="uint8" if dark.form.dtype == "uint8" else "uint16",
        bits=dark.form.bits,
        frames=min(dark.count, bright.count),
        noise=bright.noise,
        edgecl_version=version,
    )
    return FlatField(record, black.astype(np.float32), light.astype(np.float32))


def remarks_on(flat: FlatField, bright: FrameMean) -> list[str]:
    """Return what whoever recorded a flat-field has to know of it."""
    found = []
    count, named = len(flat.dead), flat.dead_named()
    if count:
        more = f" and {count - len(named)} more" if count > len(named) else ""
        what = f"{flat.record.per}{'s' * (count > 1)}"
        found.append(f"{count} dead {what}, which no gain can correct: {'; '.join(named)}{more}")
    rows = bright.mean.mean(axis=1)
    uneven = float((rows.max() - rows.min()) / rows.mean())
    if flat.record.per == "column" and uneven > MOST_UNEVEN:
        found.append(
            f"the bright frame varies by {uneven:.0%} from row to row, which one value per column "
            "does not correct; for an area camera use --per pixel"
        )
    return found
