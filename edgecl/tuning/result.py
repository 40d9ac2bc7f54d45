"""Points of the curve as the summary has them, and the one of today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgecl.tuning.curve import SharePoint, ThresholdPoint, curve_of
from edgecl.tuning.documents import TunedPoint, TunedShare
from edgecl.tuning.judged import JudgedImage, grouped


def point_now(
    images: Sequence[JudgedImage],
    pass_labels: Sequence[str],
    below: float,
    below_of: Mapping[str, float],
) -> ThresholdPoint:
    """Return the outcome at the thresholds that the line has now, which may differ by label.

    Args:
        below: threshold of labels without their own.
        below_of: by label.
    """
    decided = [
        replace(
            image,
            confidence=1.0 if image.confidence >= below_of.get(image.label, below) else -1.0,
        )
        for image in images
    ]
    (point,) = curve_of(grouped(decided, pass_labels), (0.0,))
    lowest = min((below_of.get(label, below) for label in pass_labels), default=below)
    return replace(point, threshold=lowest)


def documented(point: ThresholdPoint) -> TunedPoint:
    """Return a point as the summary has it."""
    return TunedPoint(
        threshold=point.threshold,
        escapes=_share(point.escapes),
        false_rejects=_share(point.false_rejects),
        escapes_of={name: _share(found) for name, found in point.escapes_of.items()},
    )


def _share(point: SharePoint) -> TunedShare:
    return TunedShare(
        found=point.found, count=point.count, share=point.share, interval=point.interval
    )
