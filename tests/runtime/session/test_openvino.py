"""One image takes another way through OpenVINO than several; the answers are the same."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.session import open_session

SHAPE = (32, 48)


@pytest.fixture
def session(make_bundle):
    with open_session(make_bundle(), "fp32", engine="openvino") as opened:
        yield opened


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    levels = np.array([20, 120, 230, 60, 180], np.uint8)[:, None, None, None]
    return levels + rng.integers(0, 20, (5, 1, *SHAPE), np.uint8)


def test_one_by_one_and_in_batches_of_any_size(session, batch):
    whole = session.infer(batch)
    singles = [session.infer(batch[row : row + 1]) for row in range(len(batch))]
    parts = [session.infer(batch[:2]), session.infer(batch[2:])]
    for pieces in (singles, parts):
        for name in ("probabilities", "embedding"):
            joined = np.concatenate([getattr(piece, name) for piece in pieces])
            np.testing.assert_allclose(joined, getattr(whole, name), atol=1e-6)
    assert len({int(row.probabilities.argmax()) for row in singles}) > 1


def test_answers_do_not_change_when_the_next_image_comes(session, batch):
    first = session.infer(batch[:1])
    kept = first.probabilities.copy(), first.embedding.copy()
    session.infer(batch[2:3])
    np.testing.assert_array_equal(first.probabilities, kept[0])
    np.testing.assert_array_equal(first.embedding, kept[1])


def test_the_image_given_is_read_at_once_and_not_changed(session, batch):
    before = batch.copy()
    row = batch[1:2]
    expected = session.infer(row)
    np.testing.assert_array_equal(batch, before)
    batch[1:2] = batch[2:3]  # a camera's buffer, overwritten
    assert not np.array_equal(session.infer(row).embedding, expected.embedding)


def test_images_that_are_not_contiguous(session, batch):
    turned = np.ascontiguousarray(batch[..., ::-1])[..., ::-1]
    for count in (1, 3):
        np.testing.assert_array_equal(
            session.infer(turned[:count]).probabilities, session.infer(batch[:count]).probabilities
        )
