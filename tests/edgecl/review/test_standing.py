"""What stands of many decisions: changed, taken back, agreed on, or not."""

from __future__ import annotations

import pytest

from edgecl.review.decisions.labels import KEYS, check_label, check_reviewer, keys_of_labels
from edgecl.review.decisions.standing import Standing, agreed_label, differ
from runtime.errors import InputError
from tests.edgecl.review.test_journal import IMAGE, line

OTHER = "b" * 64


def test_the_last_decision_of_each_reviewer_stands():
    standing = Standing([line(0, "dent"), line(1, "scratch"), line(2, "dent", reviewer="Ben")])
    assert standing.of(IMAGE) == {"Anna": "scratch", "Ben": "dent"}
    assert differ(standing.of(IMAGE))
    assert agreed_label(standing.of(IMAGE)) is None


def test_who_does_not_know_contradicts_nobody():
    lines = [line(0, "dent"), line(1, "", choice="dont-know", reviewer="Ben")]
    decisions = Standing(lines).of(IMAGE)
    assert decisions == {"Anna": "dent", "Ben": None}
    assert agreed_label(decisions) == "dent"
    assert not differ(decisions)


def test_undo_brings_back_what_was_there_before():
    lines = [line(0, "dent"), line(1, "scratch"), line(2, "", choice="undo")]
    standing = Standing(lines)
    assert standing.of(IMAGE) == {"Anna": "dent"}
    standing.apply(line(3, "", choice="undo"))
    assert standing.of(IMAGE) == {}
    assert standing.images == ()
    standing.apply(line(4, "", choice="undo"))
    assert standing.of(IMAGE) == {}


def test_undo_touches_nobody_else():
    lines = [line(0, "dent"), line(1, "dent", reviewer="Ben"), line(2, "", choice="undo")]
    assert Standing(lines).of(IMAGE) == {"Ben": "dent"}


def test_the_latest_image_of_a_reviewer_follows_undo():
    standing = Standing([line(0), line(1, image=OTHER)])
    assert standing.latest("Anna") == OTHER
    standing.apply(line(2, "", choice="undo", image=OTHER))
    assert standing.latest("Anna") == IMAGE
    assert standing.latest("Ben") is None


@pytest.mark.parametrize(
    "label",
    [
        *("", " ", "a/b", "..", ".hidden", "-rf", "a\\b", "x" * 61, "a\nb", "a\0b", "con:", "a."),
        *("train", "Images", "masks", "labels"),
    ],
)
def test_a_label_that_cannot_be_a_class_folder_is_refused(label):
    with pytest.raises(InputError):
        check_label(label)


@pytest.mark.parametrize("label", ["edge-crack", "rolled in", "Kratzer", "Riß", "1", " dent "])
def test_other_labels_are_taken(label):
    assert check_label(label) == label.strip()


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\x07b"])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(InputError):
        check_reviewer(name)


def test_every_label_has_a_key_of_its_own_as_long_as_there_are_keys():
    labels = [f"label{number}" for number in range(len(KEYS) + 2)]
    keys = keys_of_labels(labels)
    assert [keys[label] for label in labels] == [*KEYS, "", ""]
    assert len(set(KEYS)) == len(KEYS)
    assert not set(KEYS) & set("suxzcn")
