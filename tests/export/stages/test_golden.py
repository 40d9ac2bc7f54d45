"""Which images a bundle takes along: sure ones, of every class, that all that ships repeats."""

from __future__ import annotations

import numpy as np
import pytest

from export.stages.golden import MOST_BYTES, PER_CLASS, choose_golden

BYTES = 20


def network(count: int = 60, classes: int = 3, seed: int = 0):
    """A network's answers for so many images: float32, N×C."""
    random = np.random.default_rng(seed)
    sure = random.uniform(0.4, 1.0, count)
    probabilities = np.repeat(((1 - sure) / (classes - 1))[:, None], classes, axis=1)
    label = np.arange(count) % classes
    probabilities[np.arange(count), label] = sure
    return probabilities.astype(np.float32)


def answers(probabilities, wrong=(), by: float = 0.3):
    """What ships: the network's answers, but for some rows."""
    found = probabilities.copy()
    found[list(wrong), 0] += by
    return found


def test_the_surest_of_every_class_are_taken():
    probabilities = network()
    rows = choose_golden(probabilities, [answers(probabilities)], image_bytes=BYTES)
    labels = probabilities.argmax(axis=1)
    assert len(rows) == 3 * PER_CLASS
    for label in range(3):
        of_class = np.flatnonzero(labels == label)
        surest = of_class[np.argsort(-probabilities[of_class].max(axis=1))][:PER_CLASS]
        assert set(surest) <= set(rows)


@pytest.mark.parametrize("by", [0.3, np.nan])
def test_a_image_that_anything_shipped_answers_otherwise_is_not_taken(by):
    probabilities = network()
    before = choose_golden(probabilities, [], image_bytes=BYTES)
    strange = answers(probabilities, wrong=before[:2], by=by)
    after = choose_golden(probabilities, [answers(probabilities), strange], image_bytes=BYTES)
    assert not set(before[:2]) & set(after)
    assert len(after) == len(before)  # others of their class stand in


def test_nothing_is_taken_where_nothing_comes_close():
    probabilities = network()
    assert (
        choose_golden(probabilities, [answers(probabilities, range(60))], image_bytes=BYTES) == []
    )


def test_large_images_are_few():
    size = 512 * 1024
    probabilities = network(30)
    rows = choose_golden(probabilities, [], image_bytes=size)
    assert 0 < len(rows) * size <= MOST_BYTES
    assert len(set(probabilities[rows].argmax(axis=1))) == len(rows)


def test_many_classes_share_the_room():
    probabilities = network(200, classes=40)
    rows = choose_golden(probabilities, [], image_bytes=BYTES)
    assert len(rows) == 16
    assert len(set(probabilities[rows].argmax(axis=1))) == 16
