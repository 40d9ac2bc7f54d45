"""Classes too small for the pieces of a cut: their own parts, and nobody else's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from edgecl.data.small_classes import TRAIN, deal_small_classes
from edgecl.data.splits import Split, split_images, uneven_classes
from edgecl.learning.run.preparation import prepare
from runtime.errors import InputError
from tests.edgecl.conftest import fill


def set_of(*groups_per_class: int, size: int = 1) -> tuple[np.ndarray, list[str]]:
    targets = np.repeat(np.arange(len(groups_per_class)), np.array(groups_per_class) * size)
    return targets, [f"g{row // size}" for row in range(len(targets))]


def named(targets: np.ndarray) -> list[str]:
    return [chr(97 + number) for number in range(int(targets.max()) + 1)]


def counts(split: Split, targets: np.ndarray, number: int) -> tuple[int, ...]:
    parts = (split.train, split.validation, split.test)
    return tuple(int((targets[rows] == number).sum()) for rows in parts)


def hold(split: Split, targets: np.ndarray, groups: list[str], *, grouped: bool) -> None:
    """Every image in one part, every class in every part, no group on two sides."""
    parts = (split.train, split.validation, split.test)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(targets)))
    for rows in parts:
        assert set(targets[rows].tolist()) == set(targets.tolist())
    if grouped:
        sides = [{groups[row] for row in rows.tolist()} for rows in parts]
        assert not sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2]


@pytest.mark.parametrize("protocol", ["grouped", "paper"])
@pytest.mark.parametrize(
    ("few", "expected"),
    [(3, (1, 1, 1)), (4, (2, 1, 1)), (7, (5, 1, 1)), (13, (9, 2, 2)), (19, (13, 3, 3))],
)
def test_a_tiny_class_shrinks_nobody_elses_train_part(protocol, few, expected):
    targets, groups = set_of(few, 200, 40)
    for seed in range(2):
        split = split_images(protocol, targets, groups, named(targets), seed=seed)
        hold(split, targets, groups, grouped=protocol == "grouped")
        assert counts(split, targets, 0) == expected
        assert counts(split, targets, 1) == (140, 30, 30)
        assert counts(split, targets, 2) == (28, 6, 6)


@pytest.mark.parametrize("protocol", ["grouped", "paper"])
def test_a_tiny_class_does_not_decide_what_folds_validate_on(protocol):
    targets, groups = set_of(6, 200, 80)
    tested = []
    for fold in range(5):
        split = split_images(protocol, targets, groups, named(targets), seed=1, folds=5, fold=fold)
        hold(split, targets, groups, grouped=protocol == "grouped")
        train, validation, test = counts(split, targets, 1)
        assert (train, validation, test) == (140, 20, 40)
        assert counts(split, targets, 2) == (56, 8, 16)
        tested += split.test.tolist()
    assert sorted(tested) == list(range(len(targets)))


def test_classes_that_are_large_enough_are_cut_as_ever():
    targets, groups = set_of(20, 33, 60, size=3)
    for seed in range(3):
        split = split_images("grouped", targets, groups, named(targets), seed=seed)
        cutter = StratifiedGroupKFold(n_splits=20, shuffle=True, random_state=seed)
        pieces = [held for _, held in cutter.split(targets, targets, groups)]
        assert split.test.tolist() == sorted(np.concatenate(pieces[:3]).tolist())
        assert split.validation.tolist() == sorted(np.concatenate(pieces[3:6]).tolist())


SEEDS = [seed if seed < 6 else pytest.param(seed, marks=pytest.mark.slow) for seed in range(16)]


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_the_classes_are_like_the_parts_are_whole(seed):
    rng = np.random.default_rng(seed)
    folds = int(rng.choice([0, 0, 3, 5]))
    fewest = max(folds + 1, 3)
    targets_of, groups = [], []
    for number in range(rng.integers(2, 6)):
        counts = [fewest, int(rng.integers(fewest, 20)), int(rng.integers(20, 150))]
        for group in range(int(rng.choice(counts))):
            size = rng.integers(1, 9) if rng.random() < 0.9 else rng.integers(10, 60)
            targets_of += [number] * size
            groups += [f"{number}_{group}"] * size
    order = rng.permutation(len(groups))
    targets, groups = np.array(targets_of)[order], [groups[row] for row in order]
    for protocol in ("grouped", "paper"):
        tested = []
        for fold in range(max(folds, 1)):
            split = split_images(
                protocol, targets, groups, named(targets), seed=seed, folds=folds, fold=fold
            )
            hold(split, targets, groups, grouped=protocol == "grouped")
            tested += split.test.tolist()
        assert not folds or sorted(tested) == list(range(len(targets)))


@pytest.mark.parametrize("seed", range(20))
def test_groups_of_several_classes_are_dealt_once(seed):
    """Five strips show a and b, one shows b and c: neither may be torn."""
    targets, groups = set_of(7, 12, 60)
    groups = [{"g7": "g0", "g8": "g1", "g9": "g2", "g18": "g30"}.get(name, name) for name in groups]
    split = split_images("grouped", targets, groups, named(targets), seed=seed)
    hold(split, targets, groups, grouped=True)
    assert counts(split, targets, 0) == (5, 1, 1)
    assert counts(split, targets, 1)[1:] in {(2, 2), (2, 1), (1, 2), (1, 1)}


def test_of_uneven_groups_the_giant_is_learnt_from():
    targets = np.array([0] * 104 + [1] * 150)
    groups = ["giant"] * 100 + [f"a{row}" for row in range(4)] + [f"b{row}" for row in range(150)]
    for seed in range(5):
        split = split_images("grouped", targets, groups, ("a", "b"), seed=seed)
        assert counts(split, targets, 0) == (102, 1, 1)


def test_the_seed_decides_the_deal_and_repeats_it():
    targets, groups = set_of(9, 40)
    units = np.array(groups)
    deals = [
        deal_small_classes(units, targets, pieces=20, parts=(3, 3), seed=seed)
        for seed in (1, 1, 2, 3)
    ]
    assert deals[0] == deals[1]
    assert deals[0] != deals[2] or deals[0] != deals[3]
    assert set(deals[0]) == {f"g{row}" for row in range(9)}
    assert sorted(deals[0].values()) == [TRAIN] * 7 + [0, 1]
    assert deal_small_classes(units, targets, pieces=8, parts=(1,), seed=0) == {}


@pytest.mark.parametrize(
    ("few", "folds", "words"),
    [
        (2, 0, "2 group.* a train, validation and test part"),
        (5, 5, "5 group.* 5 folds"),
        (3, 2, "3 group.* 2 folds; use at least 4"),
    ],
)
def test_a_class_with_fewer_groups_than_parts_is_refused_by_name(few, folds, words):
    targets, groups = set_of(300, few)
    with pytest.raises(InputError, match=f"class b has {words}"):
        split_images("grouped", targets, groups, ("a", "b"), seed=0, folds=folds)


def test_a_class_far_from_the_shares_is_named_with_its_counts():
    targets, groups = set_of(3, 600, 10)
    split = split_images("grouped", targets, groups, ("a", "b", "c"), seed=0)
    (note,) = uneven_classes("grouped", split, targets, groups, ("a", "b", "c"))
    assert "70/15/15 %" in note
    assert note.endswith("images per part: a 1/1/1 (3 groups)")
    targets, groups = set_of(600, 100)
    split = split_images("paper", targets, groups, ("a", "b"), seed=0)
    assert not uneven_classes("paper", split, targets, groups, ("a", "b"))


def test_the_note_on_a_tiny_class_reaches_the_run(tiny_config, tmp_path):
    fill(tmp_path, ("bars", "posts"), 30)
    fill(tmp_path, ("blob",), 4, seed=5)
    prepared = prepare(replace(tiny_config, data=str(tmp_path)), lambda *_: None)
    assert any(note.endswith("blob 2/1/1 (4 groups)") for note in prepared.notes)
    assert prepared.counts["train"] == 2 + 2 * 21
