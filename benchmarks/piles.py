"""Piles of drawn images for the audit: crops of strips of metal, whose overlaps are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 100
KINDS = ("rough", "lines")
_PER_FOLDER = 5000
_STRIPS = 3  # crops of a strip


def draw_pile(folder: Path, count: int, *, kind: str = "rough", seed: int = 0) -> list[list[str]]:
    """Write `count` JPEG files of 100×100 pixels.

    Args:
        kind: `rough`, where half of the images are crops of a strip that three of them share,
            20 to 45 pixels apart, and the others are alone; or `lines`, plain metal with one
            scratch or edge each, where all are alone and any two look alike.

    Returns:
        Names, relative to `folder`, of the images of each strip.
    """
    generator = np.random.default_rng(seed)
    strips: list[list[str]] = []
    number = 0
    while number < count:
        together = kind == "rough" and generator.random() < 0.5 / (0.5 + 0.5 * _STRIPS)
        crops = min(_STRIPS, count - number) if together else 1
        places = np.cumsum(generator.integers(20, 46, (crops, 2)) * (0, 1), axis=0)
        places[:, 0] = generator.integers(0, 20, crops)
        whole = _surface(generator, kind, SIDE + 20, SIDE + int(places[:, 1].max()))
        names = []
        for down, right in places.tolist():
            name = f"{number // _PER_FOLDER:03d}/{number:06d}.jpg"
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            crop = whole[down : down + SIDE, right : right + SIDE]
            cv2.imwrite(str(path), crop, [cv2.IMWRITE_JPEG_QUALITY, 95])
            names.append(name)
            number += 1
        strips.append(names)
    return strips


def _surface(
    generator: np.random.Generator, kind: str, height: int, width: int
) -> NDArray[np.uint8]:
    noise = generator.standard_normal((height, width), np.float32)
    if kind == "rough":
        fine, coarse = cv2.GaussianBlur(noise, (0, 0), 1.5), cv2.GaussianBlur(noise, (0, 0), 4)
        image = 120 + 18 * (fine / fine.std() + coarse / coarse.std())
    else:
        down, right = np.mgrid[:height, :width].astype(np.float32)
        slope, start = generator.uniform(-0.3, 0.3), generator.uniform(0.35, 0.65) * height
        across = down - start - slope * (right - width / 2)
        image = 120 + noise + 40 * np.exp(-(across**2) / 8)
    drawn: NDArray[np.uint8] = image.clip(0, 255).astype(np.uint8)
    return drawn
