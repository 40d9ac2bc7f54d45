"""Advice that a run's own figures give for the next one."""

from __future__ import annotations

from edgecl.learning.config import TrainConfig
from edgecl.learning.findings import ShiftReport
from runtime.artifact.tiling import TILES

BEHIND = 0.02
"""Accuracy by which the texture descriptor has to lead before another geometry is advised."""

FALL = 0.1
"""Loss of accuracy under a drifting camera from which on training against it is advised."""


def advice(
    config: TrainConfig,
    accuracy: float,
    baseline: float | None,
    shifts: ShiftReport | None,
    *,
    tiles_per_image: float,
) -> list[str]:
    """Return what to try next, a note each; none where the figures give no reason.

    Args:
        accuracy: of the network on the test part, 0 to 1.
        baseline: likewise of the texture descriptor, which sees whole images.
        shifts: answers under a drifting camera.
        tiles_per_image: the mean.
    """
    found = []
    in_tiles = config.geometry == TILES
    if in_tiles and tiles_per_image > 1 and baseline is not None and baseline - accuracy > BEHIND:
        found.append(
            f"the texture descriptor, which sees whole images, is right for {baseline:.1%}, this "
            f"network for {accuracy:.1%}: where a defect shows in a part of its image, most tiles "
            "carry its label without it; try --geometry stretch, or a --scale at which a tile "
            "covers most of the image"
        )
    if shifts is not None and shifts.shifts and not config.robust:
        worst = shifts.worst
        if shifts.accuracy - worst.accuracy > FALL:
            found.append(
                f"{worst.name} takes accuracy from {shifts.accuracy:.1%} to {worst.accuracy:.1%}: "
                "--robust trains against what a drifting camera does"
            )
    return found
