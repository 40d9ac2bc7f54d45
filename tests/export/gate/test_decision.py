"""The gate: what it measures and whom it stops."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import numpy as np
import pytest

from export.gate.comparison import LISTED, compare
from export.gate.decision import Limits, caveat, images_to_prove, reason_to_refuse, verdict
from runtime.statistics import share_interval

LABELS = ("clean", "pit", "scratch")


def answers(labels: list[int], confidence: float = 0.8) -> np.ndarray:
    probabilities = np.full((len(labels), 3), (1 - confidence) / 2, np.float32)
    probabilities[np.arange(len(labels)), labels] = confidence
    return probabilities


def judged(reference: list[int], candidate: list[int], targets: list[int], passing=("clean",)):
    return compare(
        answers(reference),
        answers(candidate),
        np.array(targets),
        labels=LABELS,
        pass_labels=passing,
    )


def test_what_is_measured():
    targets = np.array([0, 1, 2, 0])
    comparison = compare(answers([0, 1, 2, 1]), answers([0, 1, 1, 1]), targets)
    assert comparison.reference_accuracy == 0.75
    assert comparison.accuracy == 0.5
    assert comparison.drop == pytest.approx(25)
    assert comparison.agreement == 0.75
    assert comparison.max_abs_diff == pytest.approx(0.7)
    assert comparison.accuracy_interval == share_interval(2, 4)
    assert comparison.reference_interval == share_interval(3, 4)
    assert [entry.label for entry in comparison.classes] == ["0", "1", "2"]


def test_recall_per_class_and_a_class_without_a_image():
    comparison = judged([0, 0, 2, 2], [0, 2, 2, 0], [0, 0, 2, 2])
    clean, pit, scratch = comparison.classes
    assert (clean.reference_recall, clean.recall, clean.lost) == (1.0, 0.5, 1)
    assert (pit.reference_recall, pit.recall, pit.images) == (None, None, 0)
    assert (scratch.reference_recall, scratch.recall, scratch.escapes) == (1.0, 0.5, 1)
    assert clean.escapes == 0  # a clean part that is rejected is no escape


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (1, 0), (6, 1), (1, 6), (5, 5), (12, 30)])
def test_mcnemar_is_the_exact_binomial(lost, gained):
    right, wrong = [1] * lost + [2] * gained, [2] * lost + [1] * gained
    comparison = judged(right + [1] * 4, wrong + [1] * 4, [1] * (lost + gained + 4))
    total, fewer = lost + gained, min(lost, gained)
    tail = sum(math.comb(total, k) for k in range(fewer + 1)) / 2**total
    assert comparison.mcnemar_p == pytest.approx(min(1.0, 2 * tail))
    assert (comparison.lost, comparison.gained) == (lost, gained)


def test_with_pass_labels_an_escape_is_a_defect_that_passes():
    #          caught, other reject, passes, missed by both, mended, clean
    targets = [1, 1, 2, 2, 1, 0]
    reference = [1, 1, 1, 0, 0, 0]  # the third has the wrong label, but is rejected
    candidate = [1, 2, 0, 0, 1, 1]
    comparison = judged(reference, candidate, targets)
    assert (comparison.caught, comparison.escapes) == (3, 1)
    assert comparison.escape_rate == pytest.approx(1 / 3)
    assert comparison.escape_interval == share_interval(1, 3)
    (escape,) = comparison.escaped
    assert (escape.row, escape.label, escape.reference, escape.answer) == (
        2,
        "scratch",
        "pit",
        "clean",
    )
    assert escape.reference_confidence == escape.confidence == pytest.approx(0.8)


def test_without_pass_labels_an_escape_is_a_label_that_is_lost():
    comparison = judged([1, 1, 0, 2], [1, 2, 0, 1], [1, 1, 0, 1], passing=())
    assert (comparison.caught, comparison.escapes) == (3, 1)
    assert comparison.escaped[0].row == 1


def test_where_nothing_could_escape_there_is_no_rate():
    comparison = judged([0, 0], [0, 1], [0, 0])
    assert (comparison.caught, comparison.escape_rate, comparison.escape_interval) == (
        0,
        None,
        None,
    )
    assert reason_to_refuse(comparison, Limits(100, 0)) == ""
    assert "no defects caught by FP32" in caveat(comparison, Limits(100, 1))


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_answers_that_are_no_numbers_are_wrong_escape_and_change_most(broken):
    candidate = answers([1, 1, 0])
    candidate[1, 2] = broken
    comparison = compare(
        answers([1, 1, 0]), candidate, np.array([1, 1, 0]), labels=LABELS, pass_labels=("clean",)
    )
    assert comparison.max_abs_diff == 1.0
    assert comparison.accuracy == comparison.agreement == pytest.approx(2 / 3)
    (escape,) = comparison.escaped
    assert (escape.row, escape.answer, escape.confidence) == (1, "", None)
    json.dumps(asdict(comparison), allow_nan=False)


def test_a_model_that_answers_nothing_does_not_agree_with_itself():
    nothing = np.full((3, 3), np.nan, np.float32)
    comparison = compare(nothing, nothing, np.array([0, 1, 2]), labels=LABELS)
    assert comparison.accuracy == comparison.reference_accuracy == comparison.agreement == 0
    assert comparison.caught == 0


def test_the_surest_escapes_are_listed_and_all_are_counted():
    count = LISTED + 20
    reference, candidate = answers([1] * count), answers([0] * count)
    candidate[7] = [0.98, 0.01, 0.01]
    comparison = compare(
        reference, candidate, np.ones(count, np.int64), labels=LABELS, pass_labels=("clean",)
    )
    assert comparison.escapes == count
    assert len(comparison.escaped) == LISTED
    assert [escape.row for escape in comparison.escaped[:3]] == [7, 0, 1]
    assert len(json.dumps(asdict(comparison))) < 20_000


def lossy(wrong: int, images: int = 200):
    """A precision that loses so many of the images, all of one class that passes."""
    candidate = answers([1] * wrong + [0] * (images - wrong))
    return compare(answers([0] * images), candidate, np.zeros(images, np.int64), labels=LABELS)


@pytest.mark.parametrize(
    ("wrong", "limit", "refused"), [(0, 0.0, False), (1, 0.5, False), (2, 0.5, True)]
)
def test_by_count_what_is_beyond_the_limit_is_refused(wrong, limit, refused):
    reason = reason_to_refuse(lossy(wrong), Limits(limit, max_escapes=100, strict=True))
    assert bool(reason) == refused
    if refused:
        assert "1.00 points" in reason
        assert "200 validation images" in reason
        assert "of cases" not in reason


@pytest.mark.parametrize(
    ("wrong", "images", "state"),
    [
        (0, 269, "ships"),
        (1, 269, "ships"),
        (2, 269, "unproven"),
        (4, 269, "refused"),
        (20, 269, "refused"),
        (1, 20, "unproven"),
        (2, 20, "refused"),
        (50, 10_000, "ships"),
        (60, 10_000, "unproven"),
        (65, 10_000, "refused"),
    ],
)
def test_what_few_images_cannot_tell_from_the_limit_ships_as_unproven(wrong, images, state):
    found = verdict(lossy(wrong, images), Limits(0.5, max_escapes=100))
    assert (bool(found.refused), bool(found.unproven)) == (state == "refused", state == "unproven")
    strictly = verdict(lossy(wrong, images), Limits(0.5, max_escapes=100, strict=True))
    assert (bool(strictly.refused), strictly.unproven) == (state != "ships", "")


def test_what_is_unproven_says_by_how_much_and_what_would_tell():
    found = verdict(lossy(2, 269), Limits(0.5, max_escapes=100))
    for part in (
        "accuracy fell by 0.74 points",
        "2 lost and 0 gained of 269 validation images",
        "the limit is 0.5",
        "clean lost most, 2 of 269",
        "exactly at the limit does as badly in 38.9% of cases, so these images cannot tell",
        "about 2,959 images like these would",
    ):
        assert part in found.unproven
    assert "\n" not in found.unproven


def test_the_chance_stands_beside_what_is_refused():
    reason = reason_to_refuse(lossy(4, 269), Limits(0.5, max_escapes=100))
    assert "a precision exactly at the limit does as badly in 4.7% of cases" in reason
    reason = reason_to_refuse(lossy(20, 269), Limits(0.5, max_escapes=100))
    assert "in under 0.1% of cases" in reason


def test_escapes_are_refused_where_accuracy_would_have_the_doubt():
    # One of 30 defects: 3.3 %. Of accuracy, one image of 30 would be unproven.
    comparison = judged([1] * 30, [0] + [1] * 29, [1] * 30)
    assert verdict(comparison, Limits(0.5, 100)).unproven
    reason = reason_to_refuse(comparison, Limits(100, 1))
    assert "1 of 30 defects caught by FP32 escape" in reason
    # What escapes is refused, whatever the doubt about the accuracy.
    both = verdict(comparison, Limits(0.5, 1))
    assert both.refused == reason
    assert both.unproven == ""


def test_one_escape_of_a_number_that_cannot_show_one_percent_is_unproven():
    comparison = judged([1] * 80, [0] + [1] * 79, [1] * 80)
    found = verdict(comparison, Limits(100, 1))
    assert "1 of 80 defects caught by FP32 escape" in found.unproven
    assert "about 160 caught defects like these would" in found.unproven
    assert verdict(comparison, Limits(100, 0)).refused


def test_the_reason_names_the_class_the_images_and_the_interval():
    comparison = judged(
        [1] * 50 + [2] * 50, [1] * 48 + [0] * 2 + [2] * 45 + [0] * 5, [1] * 50 + [2] * 50
    )
    reason = reason_to_refuse(comparison, Limits(0.5, 1))
    low, high = share_interval(93, 100)
    assert f"95% interval {low:.2%} to {high:.2%}" in reason
    assert "scratch lost most, 5 of 50" in reason
    assert "7 of 100 defects caught by FP32 escape, 7.00%" in reason
    assert "most are scratch, 5 of 50" in reason
    assert "\n" not in reason


def test_gains_do_not_pay_for_escapes():
    comparison = judged([1] * 49 + [0], [1] * 48 + [0, 1], [1] * 50)
    assert comparison.drop == 0
    assert reason_to_refuse(comparison, Limits(0.5, 3)) == ""
    reason = reason_to_refuse(comparison, Limits(0.5, 1))
    assert "1 of 49" in reason
    assert "accuracy fell" not in reason


def test_a_rise_is_never_refused():
    comparison = compare(answers([1, 1]), answers([0, 0]), np.zeros(2, np.int64))
    assert comparison.drop == -100
    assert reason_to_refuse(comparison, Limits(0, 0)) == ""


@pytest.mark.parametrize("limit", [0.002, 0.005, 0.01, 0.3])
def test_what_proves_a_limit_is_the_least_that_does(limit):
    needed = images_to_prove(limit)
    assert needed is not None
    assert share_interval(0, needed)[1] <= limit < share_interval(0, needed - 1)[1]


def test_a_part_that_is_too_small_says_so_and_a_large_one_does_not():
    small = judged([1] * 30, [1] * 30, [1] * 30)
    text = caveat(small, Limits(0.5, 1))
    assert "30 validation images cannot prove a limit of 0.5% (765 would)" in text
    assert "30 defects caught by FP32 cannot prove a limit of 1% (381 would)" in text
    assert f"reaches {share_interval(0, 30)[1]:.2%}" in text
    assert "no number would" in caveat(small, Limits(0, 100))
    assert caveat(small, Limits(100, 100)) == ""
    large = judged([1] * 800, [1] * 800, [1] * 800)
    assert caveat(large, Limits(0.5, 1)) == ""


def test_answers_that_do_not_pair_are_an_error():
    with pytest.raises(ValueError, match="answers of shapes"):
        compare(answers([0]), answers([0, 1]), np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="for 0 images"):
        compare(answers([]), answers([]), np.zeros(0, np.int64))
    with pytest.raises(ValueError, match="3 probabilities for 2 labels"):
        compare(answers([0]), answers([0]), np.zeros(1, np.int64), labels=("a", "b"))
    with pytest.raises(ValueError, match="targets beyond"):
        compare(answers([0]), answers([0]), np.array([3]))
