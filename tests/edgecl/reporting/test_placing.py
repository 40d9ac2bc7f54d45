"""Labels keep off each other, off the points and inside the frame."""

from __future__ import annotations

import numpy as np
import pytest

from edgecl.reporting.plots.placing import Box, place_labels

FRAME = Box(0, 0, 1000, 400)


def boxes(points, *, size=(90.0, 12.0), lines=()):
    places = place_labels(points, [size] * len(points), within=FRAME, gap=6.0, lines=lines)
    return [Box(x, y, x + size[0], y + size[1]) for x, y in places]


def covers(first: Box, second: Box) -> bool:
    return min(first.right, second.right) > max(first.left, second.left) and min(
        first.top, second.top
    ) > max(first.bottom, second.bottom)


@pytest.mark.parametrize("seed", range(20))
def test_twelve_labels_do_not_cover_each_other(seed):
    rng = np.random.default_rng(seed)
    points = [(float(x), float(y)) for x, y in rng.uniform((50, 50), (950, 350), (12, 2))]
    placed = boxes(points)
    for index, box in enumerate(placed):
        assert not any(covers(box, other) for other in placed[:index])
        assert box.left >= 0
        assert box.right <= 1000
        assert not any(box.left < x < box.right and box.bottom < y < box.top for x, y in points)


def test_points_in_one_place_get_labels_apart():
    placed = boxes([(500.0, 200.0)] * 6)
    for index, box in enumerate(placed):
        assert not any(covers(box, other) for other in placed[:index])


def test_a_label_keeps_off_a_line():
    line = Box(500, 199, 900, 201)
    (placed,) = boxes([(500.0, 200.0)], lines=[line])
    assert not covers(placed, line)


def test_no_points_no_labels():
    assert boxes([]) == []
