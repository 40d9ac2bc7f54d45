"""Budgets as people type them."""

from __future__ import annotations

import pytest

from runtime.errors import InputError
from runtime.stream.budget import Budget, parse_budget


def test_units_and_steps():
    budget = parse_budget("total=200ms, infer=8.5ms,decide=250us,queue=.1s")
    assert budget.limits == {
        "total": 200_000_000,
        "infer": 8_500_000,
        "decide": 250_000,
        "queue": 100_000_000,
    }
    assert budget.total == 200_000_000
    assert budget.to_json()["infer"] == 8.5


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("infer=8parsecs", "'parsecs' is not a unit"),
        ("infer=8", "unit is missing"),
        ("infer=8 MS", "'MS' is not a unit"),
        ("think=8ms", "unknown step 'think'"),
        ("infer=8ms,infer=9ms", "'infer' is given twice"),
        ("infer=-8ms", "not above zero"),
        ("infer=0ms", "not above zero"),
        ("infer=fastms", "'fastms' is not a time"),
        ("infer=nanms", "is not a time"),
        ("infer=1e3ms", "is not a"),
        ("infer", "'infer' is not STEP=TIME"),
        ("=8ms", "is not STEP=TIME"),
        ("", "is not STEP=TIME"),
        ("total=20ms,", "is not STEP=TIME"),
        ("infer=٨ms", "is not a"),
        ("total=5ms,infer=10ms", "budget 'infer' of 10 ms has no effect"),
    ],
)
def test_what_is_wrong_is_named_with_a_hint(text, named):
    with pytest.raises(InputError) as caught:
        parse_budget(text)
    assert named in caught.value.problem
    assert caught.value.hint


def test_a_step_may_have_the_whole_total_and_an_age_more():
    assert parse_budget("total=5ms,infer=5ms,age=1s").limits["age"] == 10**9


def test_exceeded_names_the_steps_over_their_limit():
    budget = Budget({"infer": 10, "upload": 5, "total": 100})
    assert budget.exceeded({"infer": 11, "total": 100}) == ["infer"]
    assert budget.exceeded({"infer": 10, "total": 101}) == ["total"]
