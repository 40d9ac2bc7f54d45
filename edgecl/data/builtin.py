"""Built-in data set without a download: drawn steel, in groups of overlapping cuts.

As in the sets that people really have, several images come from one strip and show the same
spot, shifted. A split that ignores the groups tests on what it trained on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.errors import InputError
from runtime.surfaces import LABELS, Zone, draw_strip, whole
from runtime.surfaces.noise import Shape
from runtime.surfaces.strip import scale_of
from runtime.surfaces.texture import sensed

_PARTLY = 0.2
# The share of strips on which the defect begins or ends, as it does before a camera.

CUTS = (1, 4)
"""The fewest and the most images that are cut from one strip."""

_SPARE = (0.2, 0.55)
# How much larger than an image a strip is, as shares of its height and width: little enough
# that any two cuts of a strip overlap.


def builtin_images(
    count: int, image_shape: Shape = (128, 128), seed: int = 0
) -> tuple[NDArray[np.uint8], list[str], list[str], list[str]]:
    """Draw a balanced data set.

    Args:
        count: images in all, at least one per label; the labels get equal shares, and where
            that leaves a rest, the first labels get one more.
        image_shape: (height, width) in pixels.
        seed: the same seed draws the same images, whatever was drawn before.

    Returns:
        The images, uint8 N×H×W, sorted by label; the label of each; the strip that each was
        cut from; and a name for each, unique, such as `scratches_0007`.

    Raises:
        InputError: fewer images than labels, or a size that cannot be drawn.
    """
    if count < len(LABELS):
        raise InputError(
            f"{count} built-in images are too few for {len(LABELS)} labels",
            hint=f"use {len(LABELS)} or more",
        )
    images = np.empty((count, *image_shape), np.uint8)
    labels: list[str] = []
    groups: list[str] = []
    names: list[str] = []
    strips = 0
    for position, label in enumerate(LABELS):
        wanted = count // len(LABELS) + (position < count % len(LABELS))
        drawn = 0
        while drawn < wanted:
            rng = np.random.default_rng([seed, strips])
            for cut in _cuts(label, image_shape, rng)[: wanted - drawn]:
                drawn += 1
                images[len(labels)] = cut
                labels.append(label)
                groups.append(f"strip_{strips:04d}")
                names.append(f"{label}_{drawn:04d}")
            strips += 1
    return images, labels, groups, names


def _cuts(label: str, shape: Shape, rng: np.random.Generator) -> list[NDArray[np.uint8]]:
    """Draw a strip a little larger than an image and cut some overlapping images from it."""
    spare = [int(side * share) for side, share in zip(shape, _SPARE, strict=True)]
    height, width = shape[0] + spare[0], shape[1] + spare[1]
    zones = whole(label, width)
    if zones and rng.random() < _PARTLY:
        # Every cut keeps more than half of itself inside the zone.
        end = round(shape[1] * rng.uniform(0.1, 0.45))
        start, stop = (end, width) if rng.random() < 0.5 else (0, width - end)
        zones = (Zone(start, stop, label),)
    strip = draw_strip((height, width), rng, zones=zones, scale=scale_of(shape))
    sigma = rng.uniform(1, 4)
    cuts = []
    for _ in range(rng.integers(CUTS[0], CUTS[1] + 1)):
        top, left = rng.integers(0, np.add(spare, 1))
        cut = strip.pixels[top : top + shape[0], left : left + shape[1]]
        cuts.append(sensed(cut, sigma, rng))
    return cuts
