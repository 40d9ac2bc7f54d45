"""Groups and splits: no strip on two sides, every class everywhere, copies found."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgecl.data.splits import labelled_rows, split_images
from edgecl.learning.run.leaks import copies_of
from runtime.errors import InputError


def labelled(groups_per_class: int, group_size: int) -> tuple[np.ndarray, list[str]]:
    targets = np.repeat(np.arange(3), groups_per_class * group_size)
    groups = [str(number // group_size) for number in range(len(targets))]
    return targets, groups


@pytest.mark.parametrize("protocol", ["grouped", "paper"])
def test_parts_are_disjoint_whole_stratified_and_sized(protocol):
    targets, groups = labelled(40, 3)
    split = split_images(protocol, targets, groups, ("a", "b", "c"), seed=1)
    rows = np.concatenate((split.train, split.validation, split.test))
    assert sorted(rows.tolist()) == list(range(360))
    for part, share in ((split.train, 0.7), (split.validation, 0.15), (split.test, 0.15)):
        assert len(part) / 360 == pytest.approx(share, abs=0.03)
        counts = np.bincount(targets[part], minlength=3)
        assert counts.max() - counts.min() <= 9


def test_grouped_keeps_every_group_on_one_side():
    targets, groups = labelled(30, 4)
    split = split_images("grouped", targets, groups, ("a", "b", "c"), seed=0)
    sides = [{groups[row] for row in part} for part in (split.train, split.validation, split.test)]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]


def test_paper_tears_groups_apart():
    targets, groups = labelled(30, 4)
    split = split_images("paper", targets, groups, ("a", "b", "c"), seed=0)
    assert {groups[row] for row in split.train} & {groups[row] for row in split.test}


def test_the_seed_decides():
    targets, groups = labelled(30, 2)
    one, same, other = (
        split_images("grouped", targets, groups, ("a", "b", "c"), seed=seed).test.tolist()
        for seed in (5, 5, 6)
    )
    assert one == same
    assert one != other


def test_small_classes_are_dealt_or_refused():
    targets, groups = labelled(3, 2)
    split = split_images("grouped", targets, groups, ("a", "b", "c"), seed=0)
    for part in (split.train, split.validation, split.test):
        assert set(targets[part].tolist()) == {0, 1, 2}
    targets, groups = labelled(2, 2)
    with pytest.raises(InputError, match=r"class a has 2 group\(s\)"):
        split_images("grouped", targets, groups, ("a", "b", "c"), seed=0)


def test_copies_are_found_through_noise_and_not_among_strangers():
    rng = np.random.default_rng(0)
    originals = rng.integers(0, 256, (6, 8, 8)).repeat(8, 1).repeat(8, 2).astype(np.uint8)
    noisy = (originals[:3] + rng.normal(0, 4, originals[:3].shape)).clip(0, 255).astype(np.uint8)
    strangers = rng.integers(0, 256, (4, 8, 8)).repeat(8, 1).repeat(8, 2).astype(np.uint8)
    found = copies_of(np.concatenate((noisy, strangers)), originals)
    assert found.tolist() == [True] * 3 + [False] * 4
    assert copies_of(strangers, originals[:0]).tolist() == [False] * 4


def test_stripes_of_a_line_camera_make_no_copies():
    rng = np.random.default_rng(0)
    # Columns differ in gain, and light falls off to the sides: the same in all images.
    stripes = rng.normal(0, 12, 96) + 60 * np.sin(np.linspace(0, np.pi, 96))
    noise = rng.normal(0, 6, (40, 96, 96))
    images = np.clip(110 + stripes + noise, 0, 255).astype(np.uint8)
    assert not copies_of(images[:20], images[20:]).any()
    assert copies_of(images[:20], images).all()


@pytest.mark.parametrize("protocol", ["grouped", "paper"])
def test_folds_test_every_image_once_and_keep_the_shares(protocol):
    targets, groups = labelled(40, 3)
    splits = [
        split_images(protocol, targets, groups, ("a", "b", "c"), seed=3, folds=5, fold=fold)
        for fold in range(5)
    ]
    tested = np.concatenate([split.test for split in splits])
    assert sorted(tested.tolist()) == list(range(360))
    for split in splits:
        rows = np.concatenate((split.train, split.validation, split.test))
        assert sorted(rows.tolist()) == list(range(360))
        for part, share in ((split.train, 0.7), (split.validation, 0.1), (split.test, 0.2)):
            assert len(part) / 360 == pytest.approx(share, abs=0.03)
        if protocol == "grouped":
            sides = [{groups[row] for row in part} for part in vars(split).values()]
            assert not (sides[0] & sides[1]) | (sides[0] & sides[2]) | (sides[1] & sides[2])


def test_a_class_with_fewer_groups_than_folds_is_named():
    targets, groups = labelled(5, 2)
    with pytest.raises(
        InputError, match=r"class a has 5 group\(s\).*: too few for 5 folds; .*folds"
    ):
        split_images("grouped", targets, groups, ("a", "b", "c"), seed=0, folds=5, fold=0)


@pytest.mark.parametrize("protocol", ["grouped", "paper"])
def test_every_class_with_too_few_images_is_named_and_none_is_split_away(protocol):
    targets = np.repeat(np.arange(4), (30, 1, 40, 2))
    groups = [str(row) for row in range(73)]
    with pytest.raises(InputError) as caught:
        split_images(protocol, targets, groups, ("ok", "burr", "dent", "rust"), seed=0)
    problem = str(caught.value)
    assert "class burr has 1 " in problem
    assert "class rust has 2 " in problem
    assert "class ok" not in problem


def test_a_part_that_big_groups_leave_without_a_class_is_named():
    # Six groups, each with images of (a, b, c): most of b hangs together.
    images_of = ((1, 1, 5), (1, 1, 40), (1, 1, 5), (5, 0, 0), (1, 40, 1), (5, 1, 1))
    targets = np.concatenate([np.repeat(np.arange(3), counts) for counts in images_of])
    groups = np.repeat(np.arange(6), [sum(counts) for counts in images_of]).astype(str).tolist()
    with pytest.raises(
        InputError, match=r"fold 1 of 3: the test part has no images of class b; .*--seed"
    ):
        split_images("grouped", targets, groups, ("a", "b", "c"), seed=0, folds=3, fold=1)


def test_label_shares_are_nested_and_take_whole_strips_of_each_class():
    targets, groups = labelled(30, 4)
    rows = np.arange(len(targets))[::2]
    few, more = (
        labelled_rows(
            rows, targets, groups, ("a", "b", "c"), share=share, seed=(7,), part="train"
        ).tolist()
        for share in (0.05, 0.3)
    )
    assert set(few) < set(more) < set(rows.tolist())
    assert np.bincount(targets[few]).tolist() == [3, 3, 3]
    # 18 images of a class in strips of two: nine strips, none cut.
    assert len({groups[row] for row in more}) == 27
    other = labelled_rows(
        rows, targets, groups, ("a", "b", "c"), share=0.05, seed=(8,), part="train"
    )
    assert other.tolist() != few


def test_all_labels_are_the_rows_themselves():
    targets, groups = labelled(5, 2)
    rows = np.array([4, 1, 29])
    whole = labelled_rows(
        rows, targets, groups, ("a", "b", "c"), share=1.0, seed=(0,), part="train"
    )
    assert whole.tolist() == [4, 1, 29]


def test_a_share_that_leaves_a_class_empty_is_refused_for_training_only():
    targets, groups = labelled(10, 2)
    rows = np.arange(len(targets))
    with pytest.raises(InputError, match=r"0\.01 leaves class a without labels.*--label-share"):
        labelled_rows(rows, targets, groups, ("a", "b", "c"), share=0.01, seed=(0,), part="train")
    kept = labelled_rows(
        rows, targets, groups, ("a", "b", "c"), share=0.01, seed=(0,), part="validation"
    )
    assert np.bincount(targets[kept]).tolist() == [1, 1, 1]


@pytest.mark.parametrize("count", [1, 4, 5, 7, 50, 51, 333, 5000])
def test_the_share_of_the_hint_is_enough_and_little_less_is_not(count):
    rows, targets = np.arange(count), np.zeros(count, np.int64)
    groups = [str(row) for row in rows]

    def kept(share):
        return labelled_rows(rows, targets, groups, ("a",), share=share, seed=(0,), part="train")

    with pytest.raises(InputError) as refused:
        kept(0.4 / count)
    share = float(refused.value.hint.split()[4])
    assert len(kept(share)) == 1
    with pytest.raises(InputError):
        kept(0.8 * share)


def test_images_under_one_lamp_are_no_copies():
    rng = np.random.default_rng(4)
    lamp = np.linspace(60, 200, 64)[:, None] + np.zeros((8, 64, 64))
    grains = rng.normal(0, 4, (8, 16, 16)).repeat(4, 1).repeat(4, 2)
    smooth = (lamp + grains).clip(0, 255).astype(np.uint8)
    assert copies_of(smooth[:4], smooth[4:]).tolist() == [False] * 4
    again = np.empty_like(smooth)
    for image, copy in zip(smooth, again, strict=True):
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 60])
        copy[:] = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    assert copies_of(again, smooth).tolist() == [True] * 8
