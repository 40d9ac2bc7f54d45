"""Warm or not: windows that agree, that fall, and that are noise."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from msgspec.structs import replace

from runtime.benchmark import Scenario
from runtime.benchmark.measuring.stability import RULE, agree, is_stable
from runtime.benchmark.measuring.turn import Turn
from runtime.benchmark.run import warm_up
from runtime.statistics import rank_sum_p


def windows(*medians: float, noise: float = 0.01, seed: int = 0) -> list[np.ndarray]:
    """Windows of 20 lognormal times with these medians in ms."""
    rng = np.random.default_rng(seed)
    return [
        (median * 1e6 * rng.lognormal(0, noise, RULE.window)).astype(np.int64) for median in medians
    ]


def test_the_rank_sum_test_gives_what_is_known():
    first, second = np.arange(1, 11), np.arange(6, 16)
    # scipy.stats.mannwhitneyu(first, second, method="asymptotic").pvalue
    assert rank_sum_p(first, second) == pytest.approx(0.0049, abs=2e-4)
    assert rank_sum_p(first, first) == pytest.approx(1.0)
    assert rank_sum_p(np.ones(5), np.ones(9)) == 1.0
    assert rank_sum_p(first, second) == rank_sum_p(second, first)


def test_it_tells_equal_samples_apart_as_often_as_its_risk():
    rng = np.random.default_rng(1)
    false = sum(rank_sum_p(*rng.lognormal(0, 1, (2, RULE.window))) <= 0.05 for _ in range(1000))
    assert 25 <= false <= 75


def test_steady_windows_are_stable_and_a_fall_is_not():
    assert is_stable(windows(5, 5, 5), RULE)
    assert not is_stable(windows(5, 5), RULE)
    assert not is_stable(windows(9, 7, 5), RULE)
    assert not is_stable(windows(5, 5, 5, 6), RULE)
    assert is_stable(windows(9, 7, 5, 5, 5), RULE)


def test_a_slow_fall_is_seen_over_all_windows():
    falling = windows(5.3, 5.15, 5.0, noise=0.002)
    assert agree(falling[0], falling[1], RULE)
    assert agree(falling[1], falling[2], RULE)
    assert not is_stable(falling, RULE)


def test_noise_alone_is_no_change():
    assert sum(is_stable(windows(5, 5, 5, noise=0.5, seed=s), RULE) for s in range(100)) >= 93


class Falling:
    """An asker whose times halve from turn to turn down to 1 ms; or never, with `floor` 0."""

    def __init__(self, floor: float = 1e6) -> None:
        self._floor = floor
        self._turns = count()

    def settle(self) -> None:
        """Nothing."""

    def ask(self, queries: int, turn: int) -> Turn:
        """As told."""
        level = max(self._floor, 64e6 / 2 ** next(self._turns))
        times = {"total": np.full(queries, level, np.int64)}
        return Turn(times, np.arange(queries), 1)

    def close(self) -> None:
        """Nothing."""


def test_the_warm_up_lasts_until_the_times_are_stable():
    warm = warm_up(Falling(), Scenario(bundles=(), warmup=7))
    assert warm.stable is True
    assert warm.medians_ms[-3:] == (1.0, 1.0, 1.0)
    assert warm.medians_ms[-4] == 2.0
    assert warm.queries == 7 + 20 * len(warm.medians_ms)


def test_a_warm_up_without_end_is_given_up_and_said():
    rule = replace(RULE, limit_windows=5)
    warm = warm_up(Falling(floor=0), Scenario(bundles=(), warmup=0, stability=rule))
    assert (warm.stable, len(warm.medians_ms), warm.queries) == (False, 5, 100)
    at_once = replace(RULE, limit_seconds=0.0)
    assert warm_up(Falling(), Scenario(bundles=(), stability=at_once)).medians_ms == ()


def test_without_a_rule_the_warm_up_is_by_count():
    warm = warm_up(Falling(), Scenario(bundles=(), warmup=3, stability=None))
    assert (warm.stable, warm.queries, warm.medians_ms) == (None, 3, ())
