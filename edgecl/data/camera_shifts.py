"""Drift of a line's camera: pure functions of one image, and the amounts that a run is tested at.

Optics go out of focus (blur), light and exposure drift (gain, gamma), sensors warm up (noise),
links compress (JPEG), and parts lie closer, farther or askew (scale, rotation).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

ShiftKind = Literal["blur", "noise", "JPEG", "gamma", "exposure", "scale", "rotation"]


@dataclass(frozen=True)
class CameraShift:
    """One kind of drift by one amount.

    Args:
        kind: what drifts.
        amount: in the unit of `NAMES`.
    """

    kind: ShiftKind
    amount: float

    @property
    def name(self) -> str:
        """Name for people, with the amount and its unit."""
        return NAMES[self.kind].format(self.amount)

    def apply(self, image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return the image, uint8 H×W, as the drifted camera would take it, of the same size.

        Args:
            rng: of the noise; nothing else is drawn.
        """
        image, amount = np.ascontiguousarray(image), self.amount
        match self.kind:
            case "blur":
                return blurred(image, amount)
            case "noise":
                return noisy(image, amount, rng)
            case "JPEG":
                return compressed(image, int(amount))
            case "gamma":
                return exposed(image, 1.0, amount)
            case "exposure":
                return exposed(image, amount)
            case "scale":
                return resized_content(image, amount)
            case "rotation":
                return rotated(image, amount)


NAMES: dict[ShiftKind, str] = {
    "blur": "blur σ {:g} px",
    "noise": "noise σ {:g} gray levels",
    "JPEG": "JPEG quality {:g}",
    "gamma": "gamma {:g}",
    "exposure": "exposure ×{:g}",
    "scale": "scale ×{:g}",
    "rotation": "rotation {:g}°",
}
"""Names of shifts by kind, with a place for the amount."""

SHIFTS = (
    CameraShift("blur", 0.75),
    CameraShift("blur", 1.5),
    CameraShift("noise", 4),
    CameraShift("noise", 8),
    CameraShift("JPEG", 60),
    CameraShift("JPEG", 30),
    CameraShift("gamma", 0.7),
    CameraShift("gamma", 1.4),
    CameraShift("exposure", 0.7),
    CameraShift("exposure", 1.3),
    CameraShift("scale", 0.9),
    CameraShift("scale", 1.1),
    CameraShift("rotation", 5),
    CameraShift("rotation", 15),
)
"""Shifts that every run is tested under: mild and strong, or in both directions."""


def blurred(image: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    """Blur by a Gaussian of `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def noisy(image: NDArray[np.uint8], sigma: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Add Gaussian noise of `sigma` gray levels, each pixel by itself."""
    noise = rng.standard_normal(image.shape, np.float32) * np.float32(sigma)
    return np.asarray(np.clip(np.rint(image + noise), 0, 255), np.uint8)


def compressed(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Save as JPEG of `quality` (1 to 100) and read it back."""
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)


def exposed(image: NDArray[np.uint8], gain: float, gamma: float = 1.0) -> NDArray[np.uint8]:
    """Multiply by `gain`, clip, and bend by `gamma` (255·(x/255)^gamma)."""
    levels = np.clip(np.arange(256) / 255 * gain, 0, 1) ** gamma
    return np.asarray(cv2.LUT(image, np.rint(255 * levels).astype(np.uint8)), np.uint8)


def resized_content(image: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Enlarge the content by `factor` about the middle; the image keeps its size."""
    return _turned(image, 0.0, factor)


def rotated(image: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """Turn the content about the middle, counter-clockwise; the image keeps its size."""
    return _turned(image, degrees, 1.0)


def _turned(image: NDArray[np.uint8], degrees: float, factor: float) -> NDArray[np.uint8]:
    height, width = image.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, factor)
    return np.asarray(
        cv2.warpAffine(
            image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        ),
        np.uint8,
    )
