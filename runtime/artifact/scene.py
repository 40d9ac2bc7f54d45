"""Light and focus of the images that a model was trained on, as they stand in its manifest."""

from __future__ import annotations

from runtime.files.document import Part


class Quantiles(Part, frozen=True, kw_only=True):
    """Quantiles of a quantity over images: 1, 50 and 99 %."""

    q01: float
    q50: float
    q99: float


class SceneRecord(Part, frozen=True, kw_only=True):
    """Light and focus of the training images, as the model sees them; see `runtime.health`.

    Args:
        images: how many were measured.
        level: mean brightness, as a share of white.
        sharpness: fine structures beside coarse ones.
        black, saturated: share of pixels at either end of the scale, of which 1 % of the images
            have more.
    """

    images: int
    level: Quantiles
    sharpness: Quantiles
    black: float
    saturated: float
