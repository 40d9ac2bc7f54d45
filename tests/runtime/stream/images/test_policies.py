"""Which frames are kept, by their verdicts alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.stream.rules import Rules
from runtime.stream.sinks.images.choice import parse_images
from runtime.stream.sinks.images.policies import ImagePolicies
from runtime.stream.verdict import Decision, Status, Verdict

MS = 10**6


def verdict(
    status: str = "pass",
    label: str = "clean",
    confidence: float = 0.99,
    *,
    at_ms: int = 0,
    camera: str = "",
    distance: float | None = None,
    late: bool = False,
) -> Verdict:
    decision = Decision(Status(status), label, confidence, distance=distance, late=late)
    return Verdict(0, at_ms * MS, 0, decision, camera=camera)


def policies(options: str = "", rules: Rules | None = None) -> ImagePolicies:
    return ImagePolicies(parse_images(f"kept?{options}" if options else "kept"), rules or Rules())


@pytest.mark.parametrize("status", ["reject", "unknown", "unsure"])
def test_what_does_not_pass_is_kept(status):
    assert policies().of(verdict(status)) == status


@pytest.mark.parametrize("status", ["late", "fault"])
def test_other_statuses_are_kept_where_they_are_named(status):
    assert policies().of(verdict(status)) == ""
    assert policies(f"status={status}").of(verdict(status)) == status


def test_a_late_frame_is_one_whatever_status_went_out():
    assert policies("status=late").of(verdict("pass", late=True)) == "late"
    assert policies("status=late").of(verdict("reject")) == ""


def test_one_of_so_many_passes_is_kept_for_each_camera():
    look = policies("sample=3")
    assert [look.of(verdict()) for _ in range(7)] == ["sample", "", ""] * 2 + ["sample"]
    assert look.of(verdict(camera="left")) == "sample"
    assert policies("status=reject&sample=0").of(verdict()) == ""


def test_a_verdict_is_near_the_threshold_of_the_recipe_that_gave_it():
    look = policies("status=none&sample=0&near=0.05&cooldown=0s", Rules(unsure_below=0.5))
    look.rules_of = {"8": Rules(unsure_below=0.9)}.get
    found = [verdict(confidence=share) for share in (0.52, 0.92)]
    assert [look.of(each) for each in found] == ["near", ""]
    assert [look.of(replace(each, recipe="8")) for each in found] == ["", "near"]


def test_a_label_is_kept_at_its_own_rate():
    look = policies("status=none&sample=0&label=stain/2&cooldown=0s")
    kept = [look.of(verdict(label=label)) for label in ("stain", "clean", "stain", "stain")]
    assert kept == ["label", "", "", "label"]


@pytest.mark.parametrize(
    ("label", "confidence", "distance", "near"),
    [
        ("clean", 0.79, None, False),
        ("clean", 0.65, None, True),
        ("clean", 0.51, None, True),
        ("stain", 0.91, None, True),
        ("stain", 0.7, None, False),
        ("clean", 0.99, 1.9, True),
        ("clean", 0.99, 2.1, True),
        ("clean", 0.99, 1.7, False),
        ("", 0.6, None, False),
    ],
)
def test_verdicts_near_a_threshold_are_kept(label, confidence, distance, near):
    rules = Rules(unsure_below=0.6, unsure_below_of={"stain": 0.9}, unknown_above=2.0)
    look = policies("status=none&sample=0&near=0.1", rules)
    assert (look.of(verdict("pass", label, confidence, distance=distance)) == "near") is near


def test_the_cooldown_holds_for_a_policy_a_label_and_a_camera():
    look = policies("cooldown=100ms&sample=1")
    assert look.of(verdict("reject", "a", at_ms=0)) == "reject"
    assert look.of(verdict("reject", "a", at_ms=99)) == ""
    assert look.of(verdict("reject", "b", at_ms=99)) == "reject"
    assert look.of(verdict("unsure", "a", at_ms=99)) == "unsure"
    assert look.of(verdict("reject", "a", at_ms=99, camera="left")) == "reject"
    assert look.of(verdict("reject", "a", at_ms=100)) == "reject"
    assert look.cooled == 1
    assert [look.of(verdict(at_ms=100)) for _ in range(2)] == ["sample"] * 2  # has a rate already


def test_without_a_cooldown_all_are_kept():
    look = policies("cooldown=0s")
    assert [look.of(verdict("reject")) for _ in range(3)] == ["reject"] * 3
    assert look.cooled == 0
