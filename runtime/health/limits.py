"""Limits beyond which a frame, or the frames of a while, are at fault: all in one place."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runtime.artifact.scene import SceneRecord

TOWARDS_THE_END = 0.25
"""Dark or bright is a frame that has come three quarters of the way from the training images'
extreme, their 1 or 99 % quantile, to the end of the scale."""

OUT_OF_FOCUS = 0.6
"""Share of the usual sharpness below which frames are defocused."""

LIGHT_MARGIN = 0.1
"""Share by which the mean of many frames may be beyond the training images' 1 or 99 % quantile.
Frames of one coil are equally bright, and that coil may be the darkest of the training set."""

OWN_LIGHT = 1 / 3
"""Share that must be left of the stream's own first brightness, and of its distance to white, where
no bundle tells. Wide, since one coil may be twice as bright as the next."""


@dataclass(frozen=True)
class HealthLimits:
    """Limits on frames. The defaults are for a model that does not tell what it was trained on.

    Args:
        dark_below, bright_above: mean brightness, as a share of white.
        black_above, saturated_above: share of pixels at either end of the scale.
        frozen_frames: frames that may show the same, but for noise, before the next is `frozen`.
        frozen_s: seconds that a live camera may show the same; both have to be over.
        still_structure: the change between two frames counts as noise where its local means vary
            at most so many times as much as those of white noise.
        still_share: and where its energy is at most this share of what unrelated images differ by.
        clock_jump_s: seconds by which a camera's clock may gain on the machine's at once.
        least_sharpness: mean below which frames are `defocused`; None for a share of the stream's
            own first mean.
        least_level, most_level: mean brightness outside of which light is `drifting-light`; None
            likewise.
        slow_every: every so many judged frames, one is measured for the slow faults.
        slow_window: measured frames whose mean is compared.
    """

    dark_below: float = 0.02
    bright_above: float = 0.98
    black_above: float = 0.98
    saturated_above: float = 0.98
    frozen_frames: int = 30
    frozen_s: float = 1.0
    still_structure: float = 1.6
    still_share: float = 0.6
    clock_jump_s: float = 0.5
    least_sharpness: float | None = None
    least_level: float | None = None
    most_level: float | None = None
    slow_every: int = 10
    slow_window: int = 100

    def learnt(self, scene: SceneRecord | None) -> HealthLimits:
        """Return these limits relative to the images that a model was trained on.

        Args:
            scene: of the bundle's manifest; None where it does not tell.
        """
        if scene is None:
            return self
        return replace(
            self,
            dark_below=scene.level.q01 * TOWARDS_THE_END,
            bright_above=_towards_one(scene.level.q99),
            black_above=_towards_one(scene.black),
            saturated_above=_towards_one(scene.saturated),
            least_sharpness=scene.sharpness.q50 * OUT_OF_FOCUS,
            least_level=scene.level.q01 * (1 - LIGHT_MARGIN),
            most_level=scene.level.q99 * (1 + LIGHT_MARGIN),
        )


def _towards_one(extreme: float) -> float:
    return 1.0 - (1.0 - extreme) * TOWARDS_THE_END
