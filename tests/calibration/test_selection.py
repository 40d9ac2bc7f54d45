"""Which pictures calibrate."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.selection import select_stratified
from runtime.errors import InputError


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


@pytest.mark.parametrize(("pictures", "count"), [(0, 10), (10, 0)])
def test_an_empty_set_is_refused(pictures, count):
    with pytest.raises(InputError, match="calibrate on at least one picture"):
        select_stratified(np.zeros(pictures, np.int64), count, np.random.default_rng(0))
