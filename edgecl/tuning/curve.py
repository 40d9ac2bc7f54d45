"""Escapes and false rejects at every threshold. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecl.tuning.judged import JudgedGroups
from runtime.statistics import share_interval

# Fixed before any image is seen, as the proof of a choice needs it; finer where confidences are.
GRID = tuple(
    np.unique(
        np.round(
            [*np.arange(0, 1, 0.01), *np.arange(0.99, 1, 0.001), *np.arange(0.999, 1, 0.0001), 1],
            4,
        )
    ).tolist()
)
"""Thresholds that are looked at, ascending."""


@dataclass(frozen=True)
class SharePoint:
    """Number of groups, at one threshold.

    Args:
        found: that escape, or are falsely rejected.
        count: that could.
    """

    found: int
    count: int

    @property
    def share(self) -> float | None:
        """Return the share; None where there is nothing to count."""
        return self.found / self.count if self.count else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return its 95 % interval (Wilson); None where there is nothing to count."""
        return share_interval(self.found, self.count) if self.count else None


@dataclass(frozen=True)
class ThresholdPoint:
    """Outcome at one threshold.

    Args:
        threshold: of the confidence of pass labels.
        escapes: defects of which an image passes.
        false_rejects: good parts of which an image does not pass.
        escapes_of: by defect class.
    """

    threshold: float
    escapes: SharePoint
    false_rejects: SharePoint
    escapes_of: dict[str, SharePoint]


def curve_of(groups: JudgedGroups, grid: Sequence[float] = GRID) -> list[ThresholdPoint]:
    """Return the outcome at each threshold, ascending."""
    good = ~groups.defect
    names = sorted({name for name, bad in zip(groups.classes, groups.defect, strict=True) if bad})
    classes = np.array(groups.classes, object)
    points = []
    for threshold in grid:
        escaped = groups.passing >= threshold
        held = groups.held < threshold
        points.append(
            ThresholdPoint(
                threshold,
                _counted(escaped, groups.defect),
                _counted(held, good),
                {name: _counted(escaped, groups.defect & (classes == name)) for name in names},
            )
        )
    return points


def _counted(found: NDArray[np.bool_], among: NDArray[np.bool_]) -> SharePoint:
    return SharePoint(int((found & among).sum()), int(among.sum()))
