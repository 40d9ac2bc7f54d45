"""Sound steel: grain of the rolling, mottle, and the light that falls on it.

The rolling direction is across the image, since a strip runs through it that way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.surfaces.noise import Field, Shape, blurred, smooth_noise, upper_share


def steel(shape: Shape, scale: float, rng: np.random.Generator) -> Field:
    """The reflectance of sound rolled steel.

    Args:
        shape: of the field.
        scale: pixels per 1/128 of an image's short side; every length is drawn in it.

    Returns:
        Relative to the surface's mean, about 1 everywhere.
    """
    grain = rng.uniform(0.02, 0.06)
    # Hot-rolled steel is rough in both directions, cold-rolled is drawn out along the rolling.
    rough = rng.uniform(0.5, 1.6)
    field = rough * grain * smooth_noise(shape, (scale, scale * rng.uniform(1.0, 2.0)), rng)
    drawn = rng.uniform(0.2, 0.8) * grain
    field += drawn * smooth_noise(shape, (scale, scale * rng.uniform(8, 20)), rng)
    field += 0.7 * drawn * smooth_noise(shape, (1.6 * scale, scale * rng.uniform(30, 70)), rng)
    # Mottle: scale and oil, blotchy and faint.
    cell = scale * rng.uniform(5, 14)
    field += rng.uniform(0.1, 0.7) * grain * smooth_noise(shape, (cell, 1.5 * cell), rng)
    # Roll bands: the roll's own wear, the same all along the strip.
    field += rng.uniform(0.005, 0.05) * smooth_noise(
        shape, (scale * rng.uniform(3, 25), math.inf), rng
    )
    field += 1
    return field


def illumination(shape: Shape, scale: float, rng: np.random.Generator) -> Field:
    """The light on a strip under a line of lamps.

    Args:
        shape: of the field.
        scale: as for `steel`.

    Returns:
        Relative to the mean, about 0.5 to 1.6.
    """
    across = np.linspace(-1, 1, shape[0], dtype=np.float32)
    profile = 1 + rng.uniform(-0.3, 0.3) * across
    profile -= rng.uniform(0, 0.25) * across**2
    # The mirror image of a lamp: a band along the strip, wide on matt steel, narrow on bright.
    width = rng.uniform(0.15, 0.6)
    band = np.exp(-(((across - rng.uniform(-1, 1)) / width) ** 2))
    profile += rng.uniform(0, 0.4) * (rng.random() < 0.6) * band
    # Along the strip the light on it changes slowly, as the strip is never quite flat.
    length = 128 * scale * rng.uniform(0.6, 1.5)
    along = smooth_noise((1, shape[1]), (math.inf, length), rng)
    tilt = smooth_noise((1, shape[1]), (math.inf, length), rng)
    field = profile[:, None] * (1 + rng.uniform(0.02, 0.14) * along)
    field += across[:, None] * (rng.uniform(0, 0.12) * tilt)
    return np.maximum(field, 0.15, dtype=np.float32)


@dataclass(frozen=True)
class Exposure:
    """Exposure of a surface by a camera.

    Args:
        level: gray level of a reflectance of 1 in average light.
        pedestal: gray level of black.
        blur: sigma of the lens in pixels.
    """

    level: float
    pedestal: float
    blur: float


def set_exposure(sound: Field, scale: float, rng: np.random.Generator) -> Exposure:
    """Set the camera up as an operator would, on the lit steel without its defects.

    Args:
        sound: `steel` times `illumination`.
        scale: as for `steel`.
    """
    level = math.exp(rng.uniform(math.log(50), math.log(180)))
    # The brightest spots may clip, and no more.
    level = min(level, rng.uniform(205, 255) / upper_share(sound, 0.05))
    return Exposure(level, rng.uniform(0, 25), scale * rng.uniform(0.2, 0.65))


def photographed(radiance: Field, exposure: Exposure) -> NDArray[np.uint8]:
    """Blur, expose and quantise: uint8 gray levels. Sensor noise comes later."""
    image = blurred(radiance, exposure.blur)
    gray = cv2.convertScaleAbs(image, alpha=exposure.level, beta=exposure.pedestal)
    return np.asarray(gray, np.uint8)


def sensed(pixels: NDArray[np.uint8], sigma: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Add a sensor's noise of `sigma` gray levels to an image, uint8 H×W."""
    noise = rng.standard_normal(pixels.shape, np.float32)
    noise *= sigma
    return np.asarray(cv2.add(pixels, noise, dtype=cv2.CV_8U), np.uint8)
