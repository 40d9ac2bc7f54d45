"""Doubtful images: between the classes, spread out, and asked for from labels enough."""

import numpy as np
import pytest

from edgecl.picking.doubtful import (
    ENOUGH,
    ModelAnswers,
    enough_labels,
    learn_and_answer,
    pick_doubtful,
)


def test_a_margin_is_between_the_two_most_probable_classes():
    shares = np.array([[0.2, 0.7, 0.1], [0.4, 0.2, 0.4]], np.float32)
    found = ModelAnswers("model", ("a", "b", "c"), shares)
    np.testing.assert_allclose(found.margins(), [0.5, 0], atol=1e-6)
    assert found.between(0) == ("b", "a")
    assert found.between(1) == ("a", "c")


@pytest.mark.parametrize(
    ("counts", "enough"),
    [
        ((), False),
        ((100,), False),
        ((ENOUGH, ENOUGH), True),
        ((ENOUGH, ENOUGH - 1), False),
        ((2 * ENOUGH - 1, 1), True),
    ],
)
def test_enough_labels_are_counted_per_class(counts, enough):
    targets = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    assert enough_labels(targets) is enough


def line() -> np.ndarray:
    """201 places from -1 to 1 on a line."""
    return np.linspace(-1, 1, 201, dtype=np.float32)[:, None]


def test_a_model_doubts_what_lies_between_the_classes():
    points = line()
    rows = np.r_[0:40, 161:201].astype(np.int64)
    targets = (rows > 100).astype(np.int64)
    found = learn_and_answer(points, rows, targets, ("left", "right"), seed=0)
    assert abs(found.margins().argmin() - 100) <= 5
    assert "100.0% right out of fold" in found.model


def test_a_model_learns_from_a_sample_of_many_labels(monkeypatch):
    monkeypatch.setattr("edgecl.picking.doubtful.MOST_LEARNT", 60)
    points = line()
    rows = np.arange(201)
    found = learn_and_answer(points, rows, (rows > 100).astype(np.int64), ("a", "b"), seed=0)
    assert (found.probabilities.argmax(1) == (rows > 100)).mean() > 0.95


def picked(margins, count, *, free=None, copies=lambda rows, own: np.zeros(len(rows), bool)):
    free = np.ones(len(margins), np.bool_) if free is None else free
    return pick_doubtful(
        line(), margins, free=free, count=count, are_copies=copies, seed=0
    ).tolist()


def test_doubtful_images_are_picked_and_not_all_from_one_place():
    margins = np.ones(201)
    margins[20:40] = margins[150:170] = 0.1
    found = picked(margins, 2)
    assert sorted(found)[0] in range(25, 35)
    assert sorted(found)[1] in range(155, 165)


def test_where_the_model_is_sure_of_all_the_picks_are_spread():
    found = sorted(picked(np.ones(201), 4))
    assert np.diff(found).min() > 20


def test_neither_taken_images_nor_copies_are_picked():
    free = np.arange(201) >= 150

    def copies(rows, own):
        return (np.abs(rows[:, None] - own) <= 5).any(axis=1)

    found = sorted(picked(np.zeros(201), 30, free=free, copies=copies))
    assert found[0] >= 150
    assert np.diff(found).min() > 5
    assert len(found) < 10
