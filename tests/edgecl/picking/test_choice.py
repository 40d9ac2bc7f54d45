"""The rule by which images are chosen, and what is said of each."""

import numpy as np
import pytest

from edgecl.picking.choice import choose
from edgecl.picking.doubtful import ENOUGH, ModelAnswers


def no_copies(rows, picked):
    return np.zeros(len(rows), np.bool_)


def described(count: int) -> np.ndarray:
    """Images of three kinds in turn."""
    rng = np.random.default_rng(0)
    kinds = np.eye(3, 8)[np.arange(count) % 3]
    return (kinds + rng.normal(0, 0.05, (count, 8))).astype(np.float32)


def chosen(count=60, names=(), wanted=6, **options):
    labelled = options.pop("labelled", len(names))
    free = np.arange(count) >= labelled
    return choose(
        [described(count)],
        list(names),
        labelled=labelled,
        free=options.pop("free", free),
        count=wanted,
        are_copies=no_copies,
        **options,
    )


def answers(count: int = 60) -> ModelAnswers:
    shares = np.full((count, 2), 0.5, np.float32)
    shares[: count // 2] = (0.99, 0.01)
    return ModelAnswers("the network of runs/x", ("bad", "good"), shares)


def test_without_labels_one_typical_image_of_each_kind_is_chosen():
    found = chosen(wanted=3)
    assert found.way == "typical"
    assert found.rule == "no image has a label"
    assert sorted(row % 3 for row in found.rows.tolist()) == [0, 1, 2]
    assert found.reasons[0] == "typical of 20 images, none known"
    assert found.margins is None


def test_what_is_labelled_covers_its_kind():
    kinds = described(60)
    order = np.r_[np.arange(0, 60, 3), np.setdiff1d(np.arange(60), np.arange(0, 60, 3))]
    found = choose(
        [kinds[order]],
        ["first"] * 4,
        labelled=4,
        free=np.arange(60) >= 20,
        count=2,
        are_copies=no_copies,
    )
    assert found.rule == "the 4 labelled images are of one class"
    assert {int(order[row]) % 3 for row in found.rows.tolist()} == {1, 2}


def test_few_labels_per_class_are_not_asked_for_margins():
    found = chosen(names=("a", "b", "c") * 3)
    assert found.way == "typical"
    assert found.rule == f"9 labelled images of 3 classes: fewer than {ENOUGH} per class"


def test_labels_enough_are_asked_for_margins():
    found = chosen(120, names=("a", "b", "c") * ENOUGH)
    assert found.way == "doubtful"
    assert found.margins is not None
    assert found.margins.shape == (120,)
    assert "logistic regression" in found.model
    assert (found.rows >= 30).all()
    first, _, second = found.reasons[0].split()
    assert {first, second} < {"a", "b", "c"}


def test_a_trained_network_is_asked_where_no_labels_are_at_hand():
    found = chosen(answers=answers())
    assert found.way == "doubtful"
    assert found.model == "the network of runs/x"
    assert (found.rows >= 30).sum() >= 5
    assert found.reasons[0] in ("bad or good", "good or bad")


def test_few_labels_at_hand_go_before_a_trained_network():
    found = chosen(names=("a", "b"), answers=answers())
    assert (found.way, found.model) == ("typical", "")


def test_labelled_images_without_classes_only_cover():
    found = chosen(names=("", "", ""))
    assert found.rule == "no image has a label"
    assert (found.rows >= 3).all()


def test_an_image_unlike_all_others_says_so():
    kinds = described(30)
    kinds[7] = (0, 0, 0, 0, 0, 0, 0, 5)
    found = choose([kinds], [], labelled=0, free=np.ones(30, bool), count=4, are_copies=no_copies)
    assert 7 in found.rows
    assert found.reasons[found.rows.tolist().index(7)] == "unlike all others"


@pytest.mark.parametrize("wanted", [1, 60, 1000])
def test_as_many_as_wanted_or_as_there_are(wanted):
    rows = chosen(wanted=wanted).rows.tolist()
    assert len(rows) == len(set(rows)) == min(wanted, 60)


def test_the_same_seed_gives_the_same_images():
    assert chosen(seed=3).rows.tolist() == chosen(seed=3).rows.tolist()


def test_images_that_may_not_be_chosen_do_not_make_others_typical():
    free = np.arange(60) % 3 != 0
    found = chosen(free=free, wanted=2)
    assert all("typical of 20 images" in reason for reason in found.reasons)
    assert {row % 3 for row in found.rows.tolist()} == {1, 2}
