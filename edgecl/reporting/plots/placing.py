"""Places for labels beside points, so that none covers another or a point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle: left, bottom, right, top."""

    left: float
    bottom: float
    right: float
    top: float


# (horizontal, vertical) steps from the point: right, left, then above and below, then farther off.
_DIRECTIONS = [
    (side, rise)
    for distance in range(9)
    for rise in ((0,) if distance == 0 else (distance, -distance))
    for side in (1, -1)
]


def place_labels(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    *,
    within: Box,
    gap: float,
    lines: Sequence[Box] = (),
) -> list[tuple[float, float]]:
    """Choose a place for each label.

    Labels are placed in the order of their height on the page; each takes the nearest of a fixed
    set of places that stays inside and covers neither a point nor an earlier label.

    Args:
        points: x, y of each point.
        sizes: width and height of each label.
        within: what must not be left.
        gap: distance between a point and its label, and around points.
        lines: what else should stay uncovered.

    Returns:
        Left and bottom of each label. Where every place is taken, the one that covers least.
    """
    marks = [Box(x - gap, y - gap, x + gap, y + gap) for x, y in points]
    placed: dict[int, Box] = {}
    for index in sorted(range(len(points)), key=lambda index: (-points[index][1], points[index])):
        candidates = _candidates(points[index], sizes[index], gap)
        taken = [*marks[:index], *marks[index + 1 :], *placed.values(), *lines]
        placed[index] = min(
            candidates,
            key=lambda box: (
                sum(_overlap(box, other) for other in taken)
                + 10 * (_area(box) - _overlap(box, within))
            ),
        )
    return [(placed[index].left, placed[index].bottom) for index in range(len(points))]


def _candidates(point: tuple[float, float], size: tuple[float, float], gap: float) -> list[Box]:
    (x, y), (width, height) = point, size
    boxes = []
    for side, rise in _DIRECTIONS:
        left = x + 1.5 * gap if side > 0 else x - 1.5 * gap - width
        bottom = y - height / 2 + rise * height * 0.55
        boxes.append(Box(left, bottom, left + width, bottom + height))
    return boxes


def _overlap(first: Box, second: Box) -> float:
    width = min(first.right, second.right) - max(first.left, second.left)
    height = min(first.top, second.top) - max(first.bottom, second.bottom)
    return width * height if width > 0 and height > 0 else 0.0


def _area(box: Box) -> float:
    return (box.right - box.left) * (box.top - box.bottom)
