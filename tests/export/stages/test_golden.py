"""Which images a bundle takes along: sure ones, of every class, that all that ships repeats."""

from __future__ import annotations

import numpy as np
import pytest

from export.stages.golden import MOST_BYTES, PER_CLASS, choose_golden


def network(count: int = 60, classes: int = 3, seed: int = 0):
    """Images whose first pixel is their row, and a network's answers for them."""
    random = np.random.default_rng(seed)
    images = np.zeros((count, 4, 5), np.uint8)
    images[:, 0, 0] = np.arange(count)
    sure = random.uniform(0.4, 1.0, count)
    probabilities = np.repeat(((1 - sure) / (classes - 1))[:, None], classes, axis=1)
    label = np.arange(count) % classes
    probabilities[np.arange(count), label] = sure
    return images, probabilities.astype(np.float32)


def answering(probabilities, wrong=(), by: float = 0.3):
    """What ships: the network's answers, but for some rows."""

    def answer(images):
        rows = images[:, 0, 0].astype(int)
        found = probabilities[rows].copy()
        found[np.isin(rows, wrong), 0] += by
        return found

    return answer


def test_the_surest_of_every_class_are_taken():
    images, probabilities = network()
    rows = choose_golden(images, probabilities, [answering(probabilities)])
    labels = probabilities.argmax(axis=1)
    assert len(rows) == 3 * PER_CLASS
    for label in range(3):
        of_class = np.flatnonzero(labels == label)
        surest = of_class[np.argsort(-probabilities[of_class].max(axis=1))][:PER_CLASS]
        assert set(surest) <= set(rows)


@pytest.mark.parametrize("by", [0.3, np.nan])
def test_a_image_that_anything_shipped_answers_otherwise_is_not_taken(by):
    images, probabilities = network()
    before = choose_golden(images, probabilities, [])
    strange = answering(probabilities, wrong=before[:2], by=by)
    after = choose_golden(images, probabilities, [answering(probabilities), strange])
    assert not set(before[:2]) & set(after)
    assert len(after) == len(before)  # others of their class stand in


def test_nothing_is_taken_where_nothing_comes_close():
    images, probabilities = network()
    assert choose_golden(images, probabilities, [answering(probabilities, range(60))]) == []


def test_large_images_are_few():
    images = np.zeros((30, 512, 1024), np.uint8)
    _, probabilities = network(30)
    rows = choose_golden(images, probabilities, [])
    assert 0 < len(rows) * images[0].size <= MOST_BYTES
    assert len(set(probabilities[rows].argmax(axis=1))) == len(rows)


def test_many_classes_share_the_room():
    images, probabilities = network(200, classes=40)
    rows = choose_golden(images, probabilities, [])
    assert len(rows) == 16
    assert len(set(probabilities[rows].argmax(axis=1))) == 16
