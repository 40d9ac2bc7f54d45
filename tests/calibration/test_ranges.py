"""Each algorithm beside a plain form of itself, and on what it is there for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from calibration.histogram import histogram_of
from calibration.observation import Observation
from calibration.ranges import (
    CANDIDATES,
    LEVELS,
    METHODS,
    entropy,
    minmax,
    mse,
    percentile,
    ranges_of,
    squared_error,
)

RNG = np.random.default_rng(0)
SHAPES = {
    "both signs": RNG.normal(0, 1, 20_000),
    "shifted": RNG.normal(-2, 1, 20_000),
    "after a ReLU": np.maximum(RNG.normal(0, 1, 20_000), 0),
    "long tail": RNG.standard_t(3, 20_000),
    "one outlier": np.append(RNG.normal(0, 1, 20_000), 60.0),
    "outliers on both sides": np.append(RNG.normal(0, 1, 20_000), [9.0, -25.0]),
    "two humps": np.concatenate((RNG.normal(-5, 0.1, 10_000), RNG.normal(1, 1, 10_000))),
    "positive": RNG.uniform(3, 4, 20_000),
    "all zeros": np.zeros(5000),
    "one value": np.full(5000, -0.7),
}


@pytest.fixture(params=SHAPES)
def drawn(request) -> np.ndarray:
    return SHAPES[request.param].astype(np.float32)


def error_of(values, low, high) -> float:
    low, high = min(low, 0.0), max(high, 0.0)
    return squared_error(values.astype(np.float64), np.ones(len(values)), low, high)


def test_every_range_lies_within_what_was_seen(drawn):
    for name, method in METHODS.items():
        low, high = method(histogram_of(drawn))
        assert drawn.min() <= low <= high <= drawn.max(), name


def test_minmax_is_everything(drawn):
    assert minmax(histogram_of(drawn)) == (drawn.min(), drawn.max())


@pytest.mark.parametrize("share", [99.99, 99.0, 50.0])
def test_percentile_cuts_what_numpy_cuts(drawn, share):
    found = histogram_of(drawn)
    low, high = percentile(found, share)
    tail = (100 - share) / 200
    lowest, highest = (
        (
            float(np.quantile(drawn, part, method="lower")),
            float(np.quantile(drawn, part, method="higher")),
        )
        for part in (tail, 1 - tail)
    )
    assert lowest[0] - found.width <= low <= lowest[1] + found.width
    assert highest[0] - found.width <= high <= highest[1] + found.width
    outside = ((drawn < low) | (drawn > high)).sum()
    assert outside <= len(drawn) * (100 - share) / 100 + 2


def plain_entropy(values: np.ndarray) -> tuple[float, float]:
    """The talk's procedure, step by step, on values that are not zero."""
    width = histogram_of(values).width
    first = math.floor(min(values.min(), 0) / width)
    last = math.floor(max(values.max(), 0) / width) + 1
    reach = max(-first, last)
    edges = np.arange(first, last + 1) * width
    counts = np.histogram(values[values != 0].astype(np.float64), edges)[0]
    best, chosen = math.inf, reach
    for threshold in {round(n) for n in np.linspace(min(reach, LEVELS), reach, CANDIDATES)}:
        start, stop = max(first, -threshold) - first, min(last, threshold) - first
        kept = counts[start:stop].astype(float)
        if not kept.any():
            continue
        p = kept.copy()
        p[0] += counts[:start].sum()
        p[-1] += counts[stop:].sum()
        q = np.zeros(len(p))
        for level in range(LEVELS):
            part = slice(level * len(p) // LEVELS, (level + 1) * len(p) // LEVELS)
            filled = p[part] > 0
            if filled.any():
                q[part][filled] = max(kept[part].sum(), 1) / filled.sum()
        p, q = p / p.sum(), q / q.sum()
        divergence = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)
        if divergence < best - 1e-12 or (divergence < best + 1e-12 and threshold > chosen):
            best, chosen = divergence, threshold
    return max(values.min(), -chosen * width), min(values.max(), chosen * width)


def test_entropy_is_what_the_procedure_gives_step_by_step(drawn):
    assert entropy(histogram_of(drawn)) == pytest.approx(plain_entropy(drawn))


def test_mse_is_as_good_as_the_best_of_all_pairs(drawn):
    low, high = mse(histogram_of(drawn))
    shares = np.linspace(1 / 40, 1, 40)
    best = min(
        error_of(drawn, min(drawn.min(), 0) * a, max(drawn.max(), 0) * b)
        for a in shares
        for b in shares
    )
    # The histogram's bins are a sixteenth of a level; 1 % is what that costs.
    assert error_of(drawn, low, high) <= 1.01 * best + 1e-9


def test_an_outlier_is_clipped_by_all_but_minmax():
    found = histogram_of(SHAPES["one outlier"].astype(np.float32))
    assert minmax(found)[1] == 60
    for method in (percentile, mse, entropy):
        low, high = method(found)
        assert -6 < low < -2
        assert 2 < high < 59


def test_after_a_relu_every_range_begins_at_zero():
    found = histogram_of(SHAPES["after a ReLU"].astype(np.float32))
    assert {method(found)[0] for method in METHODS.values()} == {0.0}


def test_few_values_are_not_clipped():
    few = np.append(RNG.normal(0, 1, 600), 50.0).astype(np.float32)
    many = np.append(RNG.normal(0, 1, 60_000), 50.0).astype(np.float32)
    observation = Observation({"few": histogram_of(few), "many": histogram_of(many)}, 1)
    for name in METHODS:
        ranges = ranges_of(observation, name)
        assert ranges["few"] == (few.min(), 50.0)
        assert (ranges["many"][1] == 50.0) == (name == "minmax")
