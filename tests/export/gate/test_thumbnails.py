"""Images of what escapes."""

from __future__ import annotations

import base64

import numpy as np

from export.gate.thumbnails import MOST, thumbnails
from runtime.image.decode import decode_gray


def test_the_images_asked_for_in_their_order_and_small():
    images = np.zeros((5, 128, 800), np.uint8)
    images[3] = 200
    first, second = (decode_gray(base64.b64decode(text)) for text in thumbnails(images, [3, 0]))
    assert first.shape == second.shape == (44, 280)
    assert (first.min(), second.max()) == (200, 0)


def test_no_more_than_a_page_can_bear():
    assert len(thumbnails(np.zeros((1, 8, 8), np.uint8), [0] * (MOST + 5))) == MOST
    assert thumbnails(np.zeros((1, 8, 8), np.uint8), []) == []
