"""Whether a loss beyond the limit is shown, or the images are too few to tell."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from export.gate.evidence import (
    ESCAPES_SHOWN,
    LOSS_SHOWN,
    Changes,
    chance_at_limit,
    exceeds,
    images_to_tell,
    is_shown,
)

HALF_A_POINT, ONE_PERCENT = 0.005, 0.01


def binomial_tail(least: int, count: int, share: float) -> float:
    """The chance of `least` or more of `count`, added up term by term."""
    return 1 - sum(
        math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(least)
    )


@pytest.mark.parametrize(
    ("lost", "right", "wrong", "beyond", "shown"),
    [
        (0, 269, 0, False, False),  # nothing lost
        (1, 269, 0, False, False),  # within the limit by count
        (2, 269, 0, True, False),  # two images cannot tell 0.74 points from 0.5
        (3, 269, 0, True, False),
        (4, 269, 0, True, True),
        (20, 249, 20, True, True),  # 7.4 points
        (1, 20, 0, True, False),  # 5 points, and still one image
        (2, 20, 0, True, True),
        (1, 10, 0, True, True),  # a precision at the limit loses one of 10 in 4.9 % of cases
        (50, 10_000, 0, False, False),  # exactly the limit
        (51, 10_000, 0, True, False),
        (60, 10_000, 0, True, False),
        (65, 10_000, 0, True, True),  # 0.65 points, told apart by many images
    ],
)
def test_a_loss_of_accuracy_is_shown_or_not(lost, right, wrong, beyond, shown):
    changes = Changes(lost, right, 0, wrong)
    assert exceeds(changes, HALF_A_POINT) == beyond
    assert is_shown(changes, HALF_A_POINT, LOSS_SHOWN) == shown


@pytest.mark.parametrize(("lost", "count"), [(1, 20), (2, 269), (4, 269), (9, 800)])
def test_without_gains_the_chance_is_the_binomial_tail(lost, count):
    found = chance_at_limit(Changes(lost, count), HALF_A_POINT)
    assert found == pytest.approx(binomial_tail(lost, count, HALF_A_POINT), rel=1e-9)


def test_with_gains_the_chance_is_that_of_lost_less_gained():
    changes = Changes(lost=9, right=240, gained=4, wrong=20)
    rng = np.random.default_rng(0)
    lost = rng.binomial(240, (0.005 * 260 + 4) / 240, 400_000)
    gained = rng.binomial(20, 4 / 20, 400_000)
    drawn = float((lost - gained >= 5).mean())
    assert chance_at_limit(changes, HALF_A_POINT) == pytest.approx(drawn, abs=0.004)


def test_gains_make_a_loss_of_as_many_on_balance_less_sure():
    steady, restless = Changes(4, 249, 0, 20), Changes(10, 249, 6, 20)
    assert steady.loss == restless.loss
    assert is_shown(steady, HALF_A_POINT, LOSS_SHOWN)
    assert not is_shown(restless, HALF_A_POINT, LOSS_SHOWN)


@pytest.mark.parametrize(("wrong", "gain"), [(0, 0.0), (27, 0.05), (27, 0.1), (3, 0.3)])
def test_a_precision_at_the_limit_is_seldom_refused(wrong, gain):
    """In one of 20 exports, or of 10 where images are gained too; by count, in 4 or 5 of 10."""
    rng = np.random.default_rng(1)
    images, exports = 269, 1500
    right = images - wrong
    lost = rng.binomial(right, (HALF_A_POINT * images + gain * wrong) / right, exports)
    gained = rng.binomial(wrong, gain, exports)
    changes = [
        Changes(int(each), right, int(other), wrong)
        for each, other in zip(lost, gained, strict=True)
    ]
    assert np.mean([is_shown(each, HALF_A_POINT, LOSS_SHOWN) for each in changes]) < 0.12
    assert np.mean([exceeds(each, HALF_A_POINT) for each in changes]) > 0.35


@pytest.mark.parametrize(
    ("escapes", "caught", "refused"),
    [
        (0, 20, False),
        (1, 20, True),
        (1, 68, True),
        (1, 70, False),  # 1.4 %, and at the limit as likely as not
        (1, 100, False),  # exactly the limit
        (2, 100, True),
        (2, 245, False),
        (3, 245, True),
        (20, 1000, True),
    ],
)
def test_of_escapes_the_doubt_counts_against_the_precision(escapes, caught, refused):
    changes = Changes(escapes, caught)
    assert is_shown(changes, ONE_PERCENT, ESCAPES_SHOWN) == refused
    # Whatever is shown of accuracy is shown of escapes too, and more.
    assert refused or not is_shown(changes, ONE_PERCENT, LOSS_SHOWN)


def test_a_limit_of_nothing_allows_nothing():
    assert is_shown(Changes(1, 20), 0, LOSS_SHOWN)
    assert is_shown(Changes(2, 20, 1, 10), 0, LOSS_SHOWN)
    assert not is_shown(Changes(1, 20, 1, 10), 0, LOSS_SHOWN)


def test_where_the_trained_model_has_nothing_right_nothing_is_shown():
    nothing = Changes(0, 0, 3, 9)
    assert chance_at_limit(nothing, HALF_A_POINT) == 1
    assert not is_shown(nothing, HALF_A_POINT, LOSS_SHOWN)
    assert Changes(0, 0).loss == 0


@pytest.mark.parametrize(
    "changes", [Changes(2, 245, 0, 20), Changes(1, 20), Changes(9, 240, 6, 20)]
)
def test_so_many_images_would_tell_and_fewer_would_not(changes):
    needed = images_to_tell(changes, HALF_A_POINT, LOSS_SHOWN)
    assert needed is not None
    times = needed // changes.images
    assert needed == times * changes.images
    assert is_shown(changes.times(times), HALF_A_POINT, LOSS_SHOWN)
    assert not is_shown(changes.times(times - 1), HALF_A_POINT, LOSS_SHOWN)


def test_what_is_hardly_beyond_the_limit_takes_more_images_than_anybody_has():
    assert images_to_tell(Changes(100_001, 20_000_000), HALF_A_POINT, LOSS_SHOWN) is None


def test_many_images_with_gains_are_decided_too():
    assert not is_shown(Changes(80, 9800, 20, 200), HALF_A_POINT, LOSS_SHOWN)
    assert is_shown(Changes(100, 9800, 20, 200), HALF_A_POINT, LOSS_SHOWN)
    assert is_shown(Changes(10_000, 950_000, 4_000, 50_000), HALF_A_POINT, LOSS_SHOWN)


def rows_of_the_page() -> list[list[str]]:
    """The examples in the documentation: lost, gained, images, loss, chance, what happens."""
    text = (Path(__file__).parents[3] / "docs/export.md").read_text(encoding="utf-8")
    part = text[text.index("### When few images decide") : text.index("### Before INT8")]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines()]
    return [row for row in rows if row and row[0].isdigit()]


def test_the_examples_in_the_documentation_are_what_the_rule_gives():
    rows = rows_of_the_page()
    assert len(rows) == 12
    for lost, gained, images, loss, chance, state in rows:
        is_accuracy = loss.endswith("points")
        limit, shown = (HALF_A_POINT, LOSS_SHOWN) if is_accuracy else (ONE_PERCENT, ESCAPES_SHOWN)
        changes = Changes(int(lost), int(images), int(gained or 0), 0)
        assert loss.startswith(f"{100 * changes.loss:.2f} ")
        if chance:
            assert chance == f"{100 * chance_at_limit(changes, limit):.1f} %"
        found = "refused" if is_shown(changes, limit, shown) else "unproven"
        assert state == (found if exceeds(changes, limit) else "ships")


@pytest.mark.parametrize(("wrong", "gain"), [(0, 0.0), (27, 0.1)])
def test_a_precision_that_loses_two_points_is_refused_in_4_to_8_of_10_exports(wrong, gain):
    rng = np.random.default_rng(2)
    right = 269 - wrong
    lost = rng.binomial(right, (0.02 * 269 + gain * wrong) / right, 1000).tolist()
    gained = rng.binomial(wrong, gain, 1000).tolist()
    found = [
        is_shown(Changes(each, right, other, wrong), HALF_A_POINT, LOSS_SHOWN)
        for each, other in zip(lost, gained, strict=True)
    ]
    assert 0.4 < np.mean(found) < 0.82
