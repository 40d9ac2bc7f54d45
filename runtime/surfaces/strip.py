"""Strips of steel with known defects along them, and the images that are cut from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import InputError
from runtime.surfaces.defects import DEFECTS
from runtime.surfaces.noise import Field, Shape, smooth_noise
from runtime.surfaces.texture import illumination, photographed, sensed, set_exposure, steel

CLEAN = "clean"
LABELS = (CLEAN, *DEFECTS)

SIDES = (16, 65536)
"""The shortest and longest side, in pixels, that a surface may have."""

BLACKEST = 0.06
"""Share of light that the blackest defect still reflects, relative to sound steel."""

DRAWN = (1.0, 4.0)
"""Smaller and larger scales are drawn at these and resized: below, lines would be thinner than a
pixel, and above, time would go into detail that no model looks at."""

LONGEST_ZONE = 12000
"""Longest zone, in pixels: wider ones, enlarged to `DRAWN`, exceed OpenCV's remapping."""

MIN_SHARE = 0.3
"""A zone that fills less of a window than this does not give the window its label."""


@dataclass(frozen=True)
class Zone:
    """The columns `start` to `stop` (exclusive) of a strip, which show the defect `label`."""

    start: int
    stop: int
    label: str


@dataclass(frozen=True)
class Strip:
    """A long piece of steel as a noiseless camera sees it.

    Args:
        pixels: uint8, height × length.
        zones: where the defects are; the rest is clean. They do not overlap.
    """

    pixels: NDArray[np.uint8]
    zones: tuple[Zone, ...]

    @property
    def length(self) -> int:
        """Length along the rolling direction, in pixels."""
        return int(self.pixels.shape[1])

    def window(self, start: int, width: int) -> NDArray[np.uint8]:
        """The columns from `start` on, as a view: uint8, height × `width`."""
        return self.pixels[:, start : start + width]

    def label(self, start: int, width: int) -> str:
        """The defect that fills most of a window, or `clean` where none fills `MIN_SHARE`."""
        columns = self._defects(start, width)
        best = max(columns, key=columns.__getitem__, default=CLEAN)
        return best if columns.get(best, 0) >= MIN_SHARE * width else CLEAN

    def defect_share(self, start: int, width: int) -> float:
        """Share of a window's columns that show a defect, 0 to 1."""
        return sum(self._defects(start, width).values()) / width

    def _defects(self, start: int, width: int) -> dict[str, int]:
        columns: dict[str, int] = {}
        for zone in self.zones:
            inside = min(zone.stop, start + width) - max(zone.start, start)
            if inside > 0:
                columns[zone.label] = columns.get(zone.label, 0) + inside
        return columns


def draw_surface(label: str, shape: Shape, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw one image of steel.

    Args:
        label: one of `LABELS`.
        shape: (height, width) in pixels; the scale follows the shorter side.

    Returns:
        uint8, `shape`, with sensor noise.

    Raises:
        InputError: no such label, or a side outside of `SIDES`.
    """
    strip = draw_strip(shape, rng, zones=whole(label, shape[1]))
    return sensed(strip.pixels, rng.uniform(1, 4), rng)


def whole(label: str, length: int) -> tuple[Zone, ...]:
    """The zones of a strip that shows `label`, which may be `clean`, from end to end."""
    return () if label == CLEAN else (Zone(0, length, label),)


def draw_strip(
    shape: Shape,
    rng: np.random.Generator,
    *,
    zones: Sequence[Zone] | None = None,
    scale: float | None = None,
) -> Strip:
    """Draw a strip, without sensor noise: whoever takes an image of it adds their own.

    Args:
        shape: (height, length) in pixels.
        zones: the defects along it; drawn by `plan_zones` when None.
        scale: pixels per 1/128 of an image's short side; from the strip's shorter side when
            None.

    Raises:
        InputError: a zone with a label that does not exist, outside of the strip or longer than
            `LONGEST_ZONE`; or a side outside of `SIDES`.
    """
    if not all(SIDES[0] <= side <= SIDES[1] for side in shape):
        raise InputError(
            f"cannot draw a surface of {shape[0]}x{shape[1]} pixels",
            hint=f"use sides of {SIDES[0]} to {SIDES[1]} pixels",
        )
    if zones is None:
        zones = plan_zones(shape[1], min(shape), shuffled_defects(rng), rng)
    for zone in zones:
        _check(zone, shape[1])
    if scale is None:
        scale = scale_of(shape)
    factor = min(max(scale, DRAWN[0]), DRAWN[1]) / scale
    size = (round(shape[0] * factor), round(shape[1] * factor))
    stretched = [
        Zone(round(zone.start * factor), round(zone.stop * factor), zone.label) for zone in zones
    ]
    pixels = _drawn(size, stretched, scale * factor, rng)
    if size != shape:
        method = cv2.INTER_AREA if factor > 1 else cv2.INTER_CUBIC
        pixels = np.asarray(cv2.resize(pixels, shape[::-1], interpolation=method), np.uint8)
    return Strip(pixels, tuple(zones))


def _drawn(
    shape: Shape, zones: Sequence[Zone], scale: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    radiance = steel(shape, scale, rng)
    radiance *= illumination(shape, scale, rng)
    exposure = set_exposure(radiance, scale, rng)
    # The defects draw last: the same generator gives the same steel whatever is wrong with it.
    for zone in zones:
        kept = 1 + _defect(zone, shape, scale, rng)
        radiance[:, zone.start : zone.stop] *= np.maximum(kept, BLACKEST)
    return photographed(radiance, exposure)


def scale_of(shape: Shape) -> float:
    """Pixels per 1/128 of the short side. Below 0.4 nothing could be told from grain."""
    return max(min(shape) / 128, 0.4)


def shuffled_defects(rng: np.random.Generator) -> Iterator[str]:
    """The names of the defects without end, in random order; all come before one comes again."""
    while True:
        yield from (str(label) for label in rng.permutation(list(DEFECTS)))


def plan_zones(
    length: int, window: int, labels: Iterator[str], rng: np.random.Generator
) -> tuple[Zone, ...]:
    """Lay defects along a strip, with clean steel between them and at both ends.

    Args:
        length: of the strip, in pixels.
        window: the width of the images that will be cut; zones and clean stretches are one to
            two of them long.
        labels: taken from as the zones are laid.
    """
    zones: list[Zone] = []
    start = round(window * rng.uniform(1.0, 1.6))
    stop = start + round(window * rng.uniform(1.2, 2.2))
    while stop + window <= length:
        zones.append(Zone(start, stop, next(labels)))
        start = stop + round(window * rng.uniform(1.0, 1.8))
        stop = start + round(window * rng.uniform(1.2, 2.2))
    return tuple(zones)


def _check(zone: Zone, length: int) -> None:
    if zone.label not in DEFECTS:
        raise InputError(f"unknown surface {zone.label!r}", hint=f"choose from {', '.join(LABELS)}")
    if not 0 <= zone.start < zone.stop <= length or zone.stop - zone.start > LONGEST_ZONE:
        raise InputError(
            f"cannot draw a defect from column {zone.start} to {zone.stop} on a strip of "
            f"{length} columns",
            hint=f"keep it inside the strip, and at most {LONGEST_ZONE} columns long",
        )


def _defect(zone: Zone, shape: Shape, scale: float, rng: np.random.Generator) -> Field:
    """The change of reflectance in a zone, with a ragged end where it ends inside the strip."""
    size = (shape[0], zone.stop - zone.start)
    change = DEFECTS[zone.label](size, scale, rng)
    at_start, at_end = zone.start == 0, zone.stop == shape[1]
    if at_start and at_end:
        return change
    column = np.arange(size[1], dtype=np.float32)
    left = np.full_like(column, np.inf) if at_start else column
    right = np.full_like(column, np.inf) if at_end else column[::-1]
    ragged = np.exp(0.5 * smooth_noise(size, (9 * scale, 9 * scale), rng))
    change *= np.clip(np.minimum(left, right) / (14 * scale) * ragged, 0, 1)
    return change
