"""Curves, proofs and choices: arithmetic that an engineer could do by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edgecl.tuning.choice import TuningRule, chosen_point, parse_limit, percent
from edgecl.tuning.curve import GRID, curve_of
from edgecl.tuning.judged import JudgedImage, grouped
from edgecl.tuning.proof import (
    chance_of_at_most,
    count_to_prove,
    is_proven,
    least_provable,
)
from edgecl.tuning.result import point_now
from runtime.errors import InputError


def image(truth: str, label: str, confidence: float, group: str = "", **changes) -> JudgedImage:
    number = next(_numbers)
    values = {"unknown": False, **changes}
    return JudgedImage(
        f"{number}.png",
        f"{number}",
        truth,
        group or f"g{number}",
        "set",
        label,
        confidence,
        **values,
    )


_numbers = iter(range(10**9))


def drawn(defects: int, goods: int, *, seed: int = 0, worst: float = 0.7) -> list[JudgedImage]:
    """Defects that are called clean at most with confidence `worst`; good parts spread evenly."""
    rng = np.random.default_rng(seed)
    images = [image("dent", "clean", float(rng.uniform(0.3, worst))) for _ in range(defects)]
    return [*images, *(image("clean", "clean", float(rng.uniform(0.3, 1))) for _ in range(goods))]


@pytest.mark.parametrize(
    ("found", "count", "share", "chance"),
    [(0, 10, 0.1, 0.9**10), (1, 2, 0.5, 0.75), (3, 3, 0.2, 1.0), (0, 5, 0.0, 1.0), (0, 5, 1.0, 0)],
)
def test_the_chance_of_few_is_the_binomial_one(found, count, share, chance):
    assert chance_of_at_most(found, count, share) == pytest.approx(chance)


def test_the_chance_agrees_with_scipy_for_many():
    binom = pytest.importorskip("scipy.stats").binom
    for found, count, share in ((7, 1000, 0.01), (200, 20_000, 0.012), (0, 100_000, 1e-5)):
        expected = binom.cdf(found, count, share)
        assert chance_of_at_most(found, count, share) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("limit", "found", "count"), [(0.005, 0, 598), (0.01, 0, 299), (0.05, 0, 59), (0.05, 1, 93)]
)
def test_what_it_takes_is_the_least_that_proves(limit, found, count):
    assert count_to_prove(limit, found) == count
    assert is_proven(found, count, limit)
    assert not is_proven(found, count - 1, limit)


def test_what_so_many_prove_is_just_proven():
    least = least_provable(100)
    assert is_proven(0, 100, least + 1e-9)
    assert not is_proven(0, 100, least - 1e-6)
    assert least_provable(0) == 1.0


def test_the_grid_is_fixed_ascending_and_ends_at_one():
    assert GRID[0] == 0
    assert GRID[-1] == 1
    assert list(GRID) == sorted(set(GRID))
    assert {0.5, 0.99, 0.999, 0.9999} <= set(GRID)


def test_a_frame_passes_from_its_confidence_down():
    curve = curve_of(
        grouped([image("dent", "clean", 0.5), image("clean", "clean", 0.5)], ("clean",))
    )
    at = {point.threshold: (point.escapes.found, point.false_rejects.found) for point in curve}
    assert at[0.49] == at[0.5] == (1, 0)
    assert at[0.51] == (0, 1)


def test_what_is_unknown_or_named_a_defect_never_passes():
    images = [
        image("dent", "dent", 0.1),
        image("dent", "clean", 0.9, unknown=True),
        image("clean", "dent", 0.2),
        image("clean", "clean", 0.9, unknown=True),
    ]
    first = curve_of(grouped(images, ("clean",)))[0]
    assert (first.escapes.found, first.escapes.count) == (0, 2)
    assert (first.false_rejects.found, first.false_rejects.count) == (2, 2)


def test_the_worst_image_speaks_for_its_group():
    images = [
        image("dent", "dent", 0.9, "a"),
        image("dent", "clean", 0.6, "a"),
        image("clean", "clean", 0.9, "b"),
        image("clean", "clean", 0.4, "b"),
        image("clean", "clean", 0.9, "a"),
    ]
    groups = grouped(images, ("clean",))
    assert len(groups) == 3
    point = next(point for point in curve_of(groups) if point.threshold == 0.5)
    assert (point.escapes.found, point.escapes.count) == (1, 1)
    assert (point.false_rejects.found, point.false_rejects.count) == (1, 2)


def test_a_truth_that_the_model_does_not_know_is_a_defect():
    point = curve_of(grouped([image("edge-crack", "clean", 0.9)], ("clean",)))[0]
    assert point.escapes_of["edge-crack"].found == 1


def test_curves_only_ever_trade_one_for_the_other():
    curve = curve_of(grouped(drawn(200, 200), ("clean",)))
    escapes = [point.escapes.found for point in curve]
    held = [point.false_rejects.found for point in curve]
    assert escapes == sorted(escapes, reverse=True)
    assert held == sorted(held)


def test_the_fewest_false_rejects_that_keep_to_the_limit_are_chosen():
    curve = curve_of(grouped(drawn(600, 300), ("clean",)))
    chosen = chosen_point(curve, TuningRule(max_escapes=0.005))
    below = curve[curve.index(chosen) - 1]
    assert chosen.escapes.found == 0
    assert chosen.threshold == pytest.approx(0.7, abs=0.011)
    assert not is_proven(below.escapes.found, below.escapes.count, 0.005) or (
        below.false_rejects.found == chosen.false_rejects.found
    )


def test_the_fewest_escapes_that_hold_so_few_back_are_chosen():
    curve = curve_of(grouped(drawn(100, 700), ("clean",)))
    chosen = chosen_point(curve, TuningRule(max_false_rejects=0.2))
    above = curve[curve.index(chosen) + 1]
    assert is_proven(chosen.false_rejects.found, 700, 0.2)
    assert not is_proven(above.false_rejects.found, 700, 0.2)


def test_a_limit_of_one_class_holds_beside_that_of_all():
    images = [
        *drawn(600, 300, worst=0.5),
        *(image("crack", "clean", 0.8) for _ in range(60)),
    ]
    curve = curve_of(grouped(images, ("clean",)))
    loose = chosen_point(curve, TuningRule(max_escapes=0.2))
    strict = chosen_point(curve, TuningRule(0.2, {"crack": 0.05}))
    assert loose.escapes_of["crack"].found == 60
    assert strict.escapes_of["crack"].found == 0
    assert strict.threshold > 0.8 > loose.threshold


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (TuningRule(max_escapes=0.005), r"37 defects are too few .* takes 598"),
        (TuningRule(max_false_rejects=0.01), r"50 good parts are too few .* takes 299"),
        (TuningRule(0.1, {"dent": 0.01}), r"37 defects of dent are too few .* takes 299"),
    ],
)
def test_too_few_images_are_refused_with_what_it_takes(rule, words):
    curve = curve_of(grouped(drawn(37, 50), ("clean",)))
    with pytest.raises(InputError, match=words) as refused:
        chosen_point(curve, rule)
    assert "or ask for" in refused.value.hint


def test_what_the_hint_asks_for_can_be_proven():
    curve = curve_of(grouped(drawn(37, 50), ("clean",)))
    with pytest.raises(InputError) as refused:
        chosen_point(curve, TuningRule(max_escapes=0.005))
    text = refused.value.hint.rpartition(" ")[2]
    assert chosen_point(curve, TuningRule(max_escapes=parse_limit(text)[1])).escapes.found == 0


def test_escapes_at_every_threshold_are_refused():
    images = [*drawn(600, 10), *(image("dent", "clean", 1.0) for _ in range(5))]
    with pytest.raises(InputError, match="5 of 605 defects escape at the best one"):
        chosen_point(curve_of(grouped(images, ("clean",))), TuningRule(max_escapes=0.005))


def test_the_proof_holds_for_thresholds_chosen_on_the_same_images():
    """True escapes exceed the limit in at most 5 % of draws; here the truth is known."""
    limit, beyond, draws = 0.05, 0, 300
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        images = [image("dent", "clean", float(value)) for value in rng.uniform(0, 1, 200)]
        images += [image("clean", "clean", float(value)) for value in rng.uniform(0, 1, 50)]
        chosen = chosen_point(curve_of(grouped(images, ("clean",))), TuningRule(max_escapes=limit))
        beyond += (1 - chosen.threshold) > limit + 1e-9  # confidences are uniform
    assert beyond <= 0.05 * draws + 3 * (0.05 * 0.95 * draws) ** 0.5


def test_the_present_thresholds_may_differ_by_label():
    images = [image("dent", "clean", 0.6), image("dent", "fine", 0.6), image("clean", "fine", 0.9)]
    now = point_now(images, ("clean", "fine"), 0.5, {"fine": 0.8})
    assert (now.escapes.found, now.escapes.count, now.threshold) == (1, 2, 0.5)
    assert now.false_rejects.found == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.5%", ("", 0.005)), ("0.02", ("", 0.02)), ("a=b=1 %", ("a=b", 0.01)), ("x=.1", ("x", 0.1))],
)
def test_limits_are_read(text, value):
    label, share = parse_limit(text)
    assert label == value[0]
    assert share == pytest.approx(value[1])


@pytest.mark.parametrize(
    "text", ["", "0", "0%", "100%", "1", "-1%", "nan", "=1%", "x", "x=", "inf"]
)
def test_other_limits_are_refused(text):
    with pytest.raises(InputError, match="not a share"):
        parse_limit(text)


@pytest.mark.parametrize(
    ("share", "text"), [(0.005, "0.5 %"), (0.02, "2 %"), (0.1, "10 %"), (0.00015, "0.015 %")]
)
def test_shares_are_written_with_the_digits_that_they_need(share, text):
    assert percent(share) == text
