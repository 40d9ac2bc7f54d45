"""Which images calibrate."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from calibration.selection import (
    METHODS,
    judge_size,
    order_stratified,
    select,
    select_covering,
    select_stratified,
)
from runtime.errors import InputError


def chosen(method, count, images=200, seed=0, classes=4):
    rng = np.random.default_rng(7)
    return select(
        method,
        count,
        targets=np.arange(images) % classes,
        embeddings=rng.normal(0, 1, (images, 5)).astype(np.float32),
        rng=np.random.default_rng(seed),
    )


def test_classes_are_served_evenly():
    targets = np.repeat([0, 1, 2], [100, 20, 3])
    rows = select_stratified(targets, 30, np.random.default_rng(0))
    assert np.bincount(targets[rows]).tolist() == [14, 13, 3] or np.bincount(
        targets[rows]
    ).tolist() == [13, 14, 3]
    assert len(set(rows.tolist())) == 30


def test_the_seed_decides_and_all_are_taken_where_there_are_few():
    targets = np.repeat([0, 1], 50)
    one, same, other = (
        select_stratified(targets, 10, np.random.default_rng(seed)).tolist() for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other
    assert select_stratified(targets, 500, np.random.default_rng(0)).tolist() == list(range(100))


def test_any_stretch_of_the_order_is_even():
    targets = np.random.default_rng(0).permutation(np.repeat(np.arange(4), 20))
    order = order_stratified(targets, np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(80))
    for start in range(0, 80, 8):
        assert np.bincount(targets[order[start : start + 8]]).tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize(("images", "count"), [(0, 10), (10, 0)])
def test_an_empty_set_is_refused(images, count):
    with pytest.raises(InputError, match="use at least one image"):
        select_stratified(np.zeros(images, np.int64), count, np.random.default_rng(0))


@pytest.mark.parametrize("method", METHODS)
def test_rows_are_sorted_without_repeats_and_the_seed_repeats_them(method):
    rows = chosen(method, 64).rows
    assert len(rows) == 64
    assert (np.diff(rows) > 0).all()
    assert rows.tolist() == chosen(method, 64).rows.tolist()
    assert chosen(method, 1000).rows.tolist() == list(range(200))


def test_chance_has_a_part_in_all_but_coverage():
    for method in METHODS:
        same = chosen(method, 64, seed=1).rows.tolist() == chosen(method, 64, seed=2).rows.tolist()
        assert same == (method == "coverage")


def largest_gap(points, taken) -> float:
    return float(np.linalg.norm(points[:, None] - points[None, list(taken)], axis=2).min(1).max())


def test_coverage_begins_in_the_middle_and_goes_where_nothing_is_yet():
    points = np.array([[0, 0], [0.1, 0], [10, 0], [0, 9], [0.2, 0.1], [3, 3]], np.float32)
    assert select_covering(points, 4).tolist() == [5, 2, 3, 0]


def test_coverage_is_within_twice_of_the_best_there_is():
    points = np.random.default_rng(0).normal(0, 1, (14, 2)).astype(np.float32)
    best = min(largest_gap(points, taken) for taken in itertools.combinations(range(14), 4))
    assert largest_gap(points, select_covering(points, 4)) <= 2 * best + 1e-6


def test_copies_are_taken_last_and_once():
    points = np.repeat(np.eye(3, dtype=np.float32), 3, axis=0)
    taken = select_covering(points, 9)
    assert sorted(taken.tolist()) == list(range(9))
    assert {row // 3 for row in taken[:3].tolist()} == {0, 1, 2}


@pytest.mark.parametrize(
    ("count", "images", "classes", "reason"),
    [
        (64, 0, 1, "0 calibration images are too few"),
        (7, 200, 4, "7 calibration images are too few.*64 to 512 are usual"),
        (64, 6, 4, "6 calibration images are too few"),
        (10, 200, 12, "cannot cover all 12 classes.*at least 12"),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_too_small_a_set_is_refused_with_the_reason(method, count, images, classes, reason):
    with pytest.raises(InputError, match=reason):
        chosen(method, count, images, classes=classes)


def test_a_small_set_carries_a_note():
    assert "31 calibration images are few" in chosen("random", 31).note
    assert "9 calibration images are few" in chosen("coverage", 64, images=9).note
    assert chosen("stratified", 32).note == judge_size(500, 6) == ""


def test_an_unknown_selection_is_refused():
    with pytest.raises(InputError, match="choose from stratified, random, coverage"):
        chosen("best", 64)
