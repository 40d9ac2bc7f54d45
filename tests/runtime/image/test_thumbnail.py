"""Images in small."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.image.thumbnail import thumbnail


@pytest.mark.parametrize(
    ("shape", "small"),
    [
        ((64, 64), (64, 64)),
        ((200, 200), (200, 200)),
        ((400, 400), (200, 200)),
        ((128, 800), (64, 400)),
        ((800, 128), (400, 64)),
        ((1, 4000), (1, 400)),
    ],
)
def test_a_thumbnail_keeps_the_proportions_and_is_never_enlarged(shape, small):
    assert thumbnail(np.zeros(shape, np.uint8)).shape == small


def test_a_thumbnail_averages_what_it_shrinks():
    stripes = np.zeros((400, 400), np.uint8)
    stripes[:, ::2] = 200
    assert set(np.unique(thumbnail(stripes)).tolist()) == {100}
