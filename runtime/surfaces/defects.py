"""The six defects of the NEU set, each drawn as a change of the steel's reflectance.

Every function takes the shape of the field, the scale (pixels per 1/128 of an image's short
side) and a generator, and returns the relative change: -0.4 where the steel looks 40 % darker, 0
where it is sound. Numbers are densities, and sparse defects stand in every cell of a grid, so
that any image-sized cut shows some.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.surfaces.noise import (
    Field,
    Shape,
    bent,
    blurred,
    lit_from,
    smooth_noise,
    soft_step,
    upper_share,
)

# OpenCV draws at sub-pixel positions given as integers with this many binary digits.
_SHIFT = 4
_ONE = 1 << _SHIFT


def crazing(shape: Shape, scale: float, rng: np.random.Generator) -> Field:
    """A net of fine cracks, in places torn open and in places not to be seen."""
    pitch = scale * rng.uniform(9, 18)
    # Cells are narrower along the rolling direction: most cracks run across it.
    stretch = rng.uniform(1.0, 1.8)
    squeezed = (max(8, round(shape[0] / stretch)), shape[1])
    seeds = np.full(squeezed, 255, np.uint8)
    count = max(4, round(seeds.size / pitch**2 * stretch))
    seeds[rng.integers(0, squeezed[0], count), rng.integers(0, squeezed[1], count)] = 0
    _, nearest = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    borders = np.zeros(squeezed, np.float32)
    borders[:-1] += nearest[:-1] != nearest[1:]
    borders[:, :-1] += nearest[:, :-1] != nearest[:, 1:]
    net = cv2.resize(borders, shape[::-1], interpolation=cv2.INTER_LINEAR)
    # Borders are a pixel or two wide at any scale; the blur widens them, the gain keeps them dark.
    net = np.minimum(scale * blurred(net, scale * rng.uniform(0.3, 0.5)), 1)
    net = bent(net, scale * rng.uniform(0.9, 2.2), scale * rng.uniform(3, 6), rng)
    torn = smooth_noise(shape, (scale * 9, scale * 9), rng)
    torn += 0.6 * smooth_noise(shape, (scale * 3, scale * 3), rng)
    faint = rng.uniform(0.2, 0.45)
    net *= faint + (1 - faint) * soft_step(torn, upper_share(torn, rng.uniform(0.35, 0.75)), 1.2)
    return _contrast(0.45, 0.8, 0.15, rng) * net


def inclusion(shape: Shape, scale: float, rng: np.random.Generator) -> Field:
    """Slag rolled out: short ragged streaks and spots along the rolling direction, in rows."""
    canvas = np.zeros(shape, np.uint8)
    slope = rng.normal(0, 0.03)
    length = scale * rng.uniform(7, 24)
    for row, column in _cells(shape, scale, rng):
        for _ in range(rng.integers(2, 7)):
            half = 0.5 * length * rng.lognormal(0, 0.4)
            thick = scale * rng.uniform(1.1, 2.4)
            centre = (
                column + scale * rng.normal(0, 16),
                row + scale * rng.normal(0, 5),
            )
            angle = math.degrees(slope + rng.normal(0, 0.03))
            _ellipse(canvas, centre, (max(half, thick), thick), angle, rng.uniform(0.6, 1))
    field = blurred(_unit(canvas), 0.5 * scale)
    field = bent(field, scale * rng.uniform(0.5, 1.0), 3 * scale, rng)
    field *= np.clip(1 + 0.35 * smooth_noise(shape, (1.5 * scale, 8 * scale), rng), 0.2, 1.5)
    return _contrast(0.35, 0.65, 0.1, rng) * field


def patches(shape: Shape, scale: float, rng: np.random.Generator) -> Field:
    """Large blotches with ragged edges."""
    cell = scale * rng.uniform(18, 40)
    field = smooth_noise(shape, (cell, cell * rng.uniform(0.8, 2.2)), rng)
    # Edges are ragged on every length down to the grain, as those of a stain are.
    field += rng.uniform(0.2, 0.4) * smooth_noise(shape, (8 * scale, 10 * scale), rng)
    field += rng.uniform(0.08, 0.25) * smooth_noise(shape, (3 * scale, 3.5 * scale), rng)
    field += rng.uniform(0.04, 0.18) * smooth_noise(shape, (1.2 * scale, 1.5 * scale), rng)
    edge = upper_share(field, rng.uniform(0.15, 0.5))
    blotch = soft_step(field, edge, rng.uniform(0.3, 1.0))
    blotch *= np.clip(1 + rng.uniform(0.05, 0.15) * field, 0.7, 1.3)
    blotch *= _contrast(0.3, 0.6, 0.25, rng)
    return blotch


def pitted_surface(shape: Shape, scale: float, rng: np.random.Generator) -> Field:
    """Many small round pits, dark inside, with a bright and a dark rim under a low lamp."""
    pits = np.zeros(shape, np.uint8)
    count = round(shape[0] * shape[1] / (scale * rng.uniform(7, 12)) ** 2)
    mean = scale * rng.uniform(0.7, 1.6)
    thinned = smooth_noise(shape, (scale * 30, scale * 30), rng)
    for row, column in _scattered(shape, count, thinned, rng):
        radius = mean * rng.lognormal(0, 0.35)
        _ellipse(pits, (column, row), (radius, radius), 0, rng.uniform(0.5, 1))
    depth = blurred(_unit(pits), 0.55 * scale)
    shade = lit_from(depth, rng.uniform(0, 2 * math.pi)) * scale
    shade *= rng.uniform(0.5, 1.2)
    shade += _contrast(0.25, 0.55, 0.2, rng) * depth
    return shade


def rolled_in_scale(shape: Shape, scale: float, rng: np.random.Generator) -> Field:
    """Rough mottled fields of flakes of mill scale that were pressed into the steel."""
    flakes = np.zeros(shape, np.uint8)
    count = round(shape[0] * shape[1] / (scale * rng.uniform(6.5, 9)) ** 2)
    # A flake lies across the rolling direction, as the mill pushes it ahead.
    lean = rng.normal(90, 12)
    long, short = scale * rng.uniform(3.5, 6.5), scale * rng.uniform(1.1, 1.9)
    field = smooth_noise(shape, (scale * 26, scale * 34), rng)
    inside = soft_step(field, upper_share(field, rng.uniform(0.3, 0.75)), 0.6)
    for row, column in _scattered(shape, count, 3 * inside - 1.5, rng):
        size = rng.lognormal(0, 0.3)
        axes = (long * size, short * size)
        _ellipse(flakes, (column, row), axes, lean + rng.normal(0, 12), rng.uniform(0.3, 1))
    relief = bent(blurred(_unit(flakes), 0.5 * scale), scale, 3 * scale, rng)
    relief += 0.12 * inside * smooth_noise(shape, (2.2 * scale, 1.6 * scale), rng)
    shade = lit_from(relief, rng.normal(0, 0.6) + math.pi * rng.integers(0, 2)) * scale
    shade *= rng.uniform(0.7, 1.3)
    shade += _contrast(0.05, 0.3, 0.3, rng) * relief
    shade -= rng.uniform(0, 0.12) * inside
    return shade


def scratches(shape: Shape, scale: float, rng: np.random.Generator) -> Field:
    """Long thin lines, slightly curved, single or in bundles, nearly all in one direction."""
    canvas = np.zeros(shape, np.uint8)
    along = rng.random() < 0.5
    heading = rng.normal(0, 0.12) if along else rng.uniform(-0.5, 0.5) * math.pi
    for row, column in _cells(shape, scale, rng):
        for _ in range(rng.integers(1, 3)):
            start = (row + scale * rng.normal(0, 10), column + scale * rng.normal(0, 10))
            angle = heading + rng.normal(0, 0.06)
            length = 128 * scale * rng.uniform(0.6, 1.3)
            bow = rng.normal(0, 0.02) * length
            for number in range(rng.choice([1, 1, 2, 3])):
                aside = number * scale * rng.uniform(2.5, 5)
                line = _arc(start, angle, length * rng.uniform(0.8, 1), bow, aside)
                width = scale * rng.uniform(0.7, 1.5)
                pixels = max(1, round(width))
                tone = round(255 * rng.uniform(0.65, 1) * min(1.0, width / pixels))
                cv2.polylines(canvas, [line], False, tone, pixels, cv2.LINE_AA, _SHIFT)
    field = blurred(_unit(canvas), 0.35 * scale)
    # The pressure changes along the way, and a scratch skips.
    field *= np.clip(1 + 0.35 * smooth_noise(shape, (9 * scale, 9 * scale), rng), 0.3, 1.6)
    return _contrast(0.55, 0.95, 0.7, rng) * field


DEFECTS: dict[str, Callable[[Shape, float, np.random.Generator], Field]] = {
    "crazing": crazing,
    "inclusion": inclusion,
    "patches": patches,
    "pitted_surface": pitted_surface,
    "rolled-in_scale": rolled_in_scale,
    "scratches": scratches,
}


def _contrast(low: float, high: float, bright: float, rng: np.random.Generator) -> float:
    """A change of reflectance between `low` and `high`, upwards with probability `bright`."""
    change = rng.uniform(low, high)
    return float(change if rng.random() < bright else -change)


def _cells(shape: Shape, scale: float, rng: np.random.Generator) -> Iterator[tuple[float, float]]:
    """One point (row, column) per half image along the strip, away from the long edges."""
    step = 64 * scale
    for number in range(math.ceil(shape[1] / step)):
        row = shape[0] * rng.uniform(0.22, 0.78)
        yield row, min((number + rng.uniform(0.1, 0.9)) * step, shape[1] - 1.0)


def _scattered(
    shape: Shape, count: int, likely: Field, rng: np.random.Generator
) -> NDArray[np.float64]:
    """About `count` points (row, column), a third of them where `likely` is -1."""
    points = rng.random((count, 2)) * shape
    rows, columns = points.astype(np.intp).T
    keep = rng.random(count) < np.exp2(1.5 * np.minimum(likely[rows, columns], 0))
    return np.asarray(points[keep], np.float64)


def _ellipse(
    canvas: NDArray[np.uint8],
    centre: tuple[float, float],
    axes: tuple[float, float],
    angle: float,
    tone: float,
) -> None:
    """Fill an ellipse: centre (column, row) and half axes in pixels, degrees, tone 0 to 1."""
    at = (round(centre[0] * _ONE), round(centre[1] * _ONE))
    half = (max(1, round(axes[0] * _ONE)), max(1, round(axes[1] * _ONE)))
    cv2.ellipse(canvas, at, half, angle, 0, 360, round(255 * tone), -1, cv2.LINE_AA, _SHIFT)


def _arc(
    middle: tuple[float, float], angle: float, length: float, bow: float, aside: float
) -> NDArray[np.int32]:
    """A bowed line through `middle` (row, column) as points N×1×2 in OpenCV's fixed point."""
    way = np.linspace(-0.5, 0.5, 12)
    ahead, off = length * way, bow * (1 - 4 * way**2) + aside
    columns = middle[1] + ahead * math.cos(angle) - off * math.sin(angle)
    rows = middle[0] + ahead * math.sin(angle) + off * math.cos(angle)
    points = np.stack([columns, rows], axis=-1)[:, None]
    return np.asarray(np.rint(points * _ONE), np.int32)


def _unit(canvas: NDArray[np.uint8]) -> Field:
    return canvas.astype(np.float32) / np.float32(255)
