"""Counts in messages."""

from __future__ import annotations

import pytest

from runtime.counting import counted, noun


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (12345, "12345 runs")]
)
def test_a_noun_has_the_number_of_its_count(count, told):
    assert counted(count, "run") == told


def test_other_plurals_are_given():
    assert counted(2, "budget miss", "budget misses") == "2 budget misses"
    assert [noun(count, "is", "are") for count in (0, 1, 2)] == ["are", "is", "are"]
