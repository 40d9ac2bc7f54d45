"""Ratios of sides that took turns: what is measured, and how well it is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runtime.benchmark.measuring.relative import LEAST_GROUPS, Relative, relative, student
from tests.runtime.benchmark.comparison.drawn_reports import ROUNDS, machine, times

FEW = 24
"""Drawn runs of each kind: enough that a spread is known to about a seventh."""


def known(*arguments, **choices) -> list[Relative]:
    found = relative(*arguments, **choices)
    assert found is not None
    return found


def ratios(**choices):
    found = []
    for seed in range(FEW):
        speed = machine(seed)
        ours, theirs = (times(speed, 100 * k + seed, **choices) for k in (1, 2))
        found.append(known(ours, theirs, [0.5], rounds=ROUNDS)[0])
    return found


@pytest.mark.parametrize("interrupted", [0.1, 0.5])
def test_the_spread_that_is_told_is_the_spread_between_runs(interrupted):
    found = ratios(interrupted=interrupted)
    told = math.sqrt(np.mean([entry.variance for entry in found]))
    true = np.std([entry.log for entry in found])
    assert 0.75 * true < told < 2 * true


def test_where_half_of_the_frames_are_interrupted_turns_are_still_comparable():
    found = [entry.log for entry in ratios(interrupted=0.5)]
    medians = []
    for seed in range(FEW):
        rows = [times(machine(seed), 100 * k + seed, interrupted=0.5) for k in (1, 2)]
        medians.append(math.log(np.median(rows[0]) / np.median(rows[1])))
    assert abs(float(np.median(found))) < 0.02
    assert np.std(found) < np.std(medians)


def test_a_row_that_wanders_is_known_worse_than_one_of_independent_turns():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.05, ROUNDS)
    wandering = 0.05 * np.cumsum(noise) / np.std(np.cumsum(noise))
    variances = []
    for levels in (noise, wandering):
        ours = times(np.exp(levels), 1, interrupted=0)
        theirs = times(np.ones(ROUNDS), 2, interrupted=0)
        (found,) = known(ours, theirs, [0.5], rounds=ROUNDS)
        variances.append((found.variance, found.groups))
    assert variances[1][0] > 3 * variances[0][0]
    assert variances[1][1] < variances[0][1]


def test_alone_a_side_has_its_quantile_in_nanoseconds():
    row = np.arange(1, 601) * 1000
    found = known(row, None, [0.5, 0.9], rounds=ROUNDS)
    assert [math.exp(entry.log) for entry in found] == pytest.approx([300_000, 540_000])


def test_long_rows_and_uneven_turns_are_taken():
    rng = np.random.default_rng(0)
    ours = (1e6 * (1 + rng.random(20_011))).astype(np.int64)
    found = known(ours, 2 * ours[:-7], [0.5, 0.99], rounds=100)
    assert [entry.log for entry in found] == pytest.approx([-math.log(2)] * 2, abs=0.01)
    assert all(entry.variance < 0.01**2 for entry in found)


def test_too_few_turns_have_no_interval():
    row = np.full(96, 1000)
    assert relative(row, row, [0.5], rounds=LEAST_GROUPS - 1) is None
    (found,) = known(row, row, [0.5], rounds=LEAST_GROUPS)
    assert (found.log, found.variance) == (0, 0)


def test_times_of_zero_are_no_error():
    row = np.zeros(100, np.int64)
    assert known(row, row, [0.5], rounds=10)[0].log == 0


@pytest.mark.parametrize(("freedom", "value"), [(7, 2.365), (18, 2.101), (126, 1.979)])
def test_students_quantile(freedom, value):
    assert student(freedom) == pytest.approx(value, abs=0.002)
