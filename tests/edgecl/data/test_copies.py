"""Equal images: one group, two labels, two sides of a split."""

from __future__ import annotations

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run as edgecl
from edgecl.data.copies import (
    copies_across,
    find_copies,
    under_two_labels,
    with_copies_joined,
)
from edgecl.data.dataset import ImageSet
from edgecl.data.splits import Split
from edgecl.learning.config import TrainConfig
from edgecl.learning.run.preparation import prepare
from runtime.errors import InputError


def images(values: list[int], groups: str, targets: list[int] | None = None) -> ImageSet:
    """One even image per value."""
    images = np.repeat(np.array(values, np.uint8), 16).reshape(-1, 4, 4)
    return ImageSet(
        images=images,
        files=[f"{row}.png" for row in range(len(values))],
        hashes=[str(row) for row in range(len(values))],
        labels=("crack", "good"),
        targets=np.array(targets or [0] * len(values), np.int64),
        groups=list(groups),
    )


def quiet(config: TrainConfig):
    return prepare(config, lambda *_: None)


def test_copies_join_one_group_and_bring_their_groups_along():
    some = images([1, 2, 1, 3, 2, 4, 4], "abcbdee")
    first = find_copies(some.images)
    assert first.tolist() == [0, 1, 0, 3, 1, 5, 5]
    joined = with_copies_joined(some, first)
    assert "".join(joined.groups) == "ababbee"
    assert joined.notes == (
        "2 images are copies of other images, pixel by pixel, and joined their groups "
        "(first: 2.png, a copy of 0.png)",
    )


def test_copies_link_groups_in_a_chain():
    some = images([1, 2, 2, 3, 3, 1], "abcdef")
    joined = with_copies_joined(some, find_copies(some.images))
    assert len(set(joined.groups)) == 3
    one = images([1, 2, 1, 2, 2], "xyyzw")
    assert set(with_copies_joined(one, find_copies(one.images)).groups) == {"x"}


def test_groups_that_hold_their_copies_stay_as_they_are():
    some = images([1, 1, 2], "aab")
    assert with_copies_joined(some, find_copies(some.images)) is some


def test_an_image_under_two_labels_is_named_with_both():
    some = images([1, 2, 1, 1, 2], "abcde", [0, 1, 1, 1, 1])
    assert under_two_labels(some, find_copies(some.images)) == (
        "1 image appears under two labels (first: 2.png, a copy of 0.png: good and crack)"
    )
    assert not under_two_labels(some.take(np.array([1, 4])), np.array([0, 0]))


def test_copies_on_two_sides_are_counted():
    some = images([1, 2, 1, 3, 3, 4], "abcdef")
    split = Split(np.array([0, 1]), np.array([3]), np.array([2, 4, 5]))
    (note,) = copies_across(some, split, find_copies(some.images))
    assert note.startswith("2 of 3 test images are pixel-by-pixel copies")
    assert note.endswith("(first: 2.png, a copy of 0.png)")
    assert not copies_across(some, split, np.arange(6))


@pytest.fixture
def with_copies(tiny_config, tmp_path):
    """The small set, with ten of its images once more, half of them encoded anew."""
    data = shutil.copytree(tiny_config.data, tmp_path / "data")
    for number in range(1, 11):
        path = data / "bars" / f"bars_{number}.png"
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        copy = data / "bars" / f"again_{number}.{'png' if number % 2 else 'bmp'}"
        copy.write_bytes(path.read_bytes()) if number % 2 else cv2.imwrite(str(copy), pixels)
    return replace(tiny_config, data=str(data))


def test_no_copy_is_on_another_side_of_a_grouped_split(with_copies):
    for seed in range(5):
        prepared = quiet(replace(with_copies, seed=seed))
        files, images = prepared.dataset.files, prepared.dataset.images
        side = {
            files[row]: (part, images[row].tobytes())
            for part, rows in vars(prepared.split).items()
            for row in rows
        }
        for number in range(1, 11):
            again = f"bars/again_{number}.{'png' if number % 2 else 'bmp'}"
            assert side[again] == side[f"bars/bars_{number}.png"]
    assert any("10 images are copies of other images" in note for note in prepared.notes)
    assert prepared.counts["groups"] == 120


def test_a_random_split_says_how_many_copies_stand_on_both_sides(with_copies):
    prepared = quiet(replace(with_copies, split="paper"))
    images = prepared.dataset.images
    learnt = {
        images[row].tobytes()
        for rows in (prepared.split.train, prepared.split.validation)
        for row in rows
    }
    count = sum(images[row].tobytes() in learnt for row in prepared.split.test)
    assert count
    assert any(note.startswith(f"{count} of ") for note in prepared.notes)
    assert prepared.counts["groups"] == 130


def test_one_image_under_two_labels_is_a_note_or_refused(tiny_config, tmp_path, capsys):
    data = shutil.copytree(tiny_config.data, tmp_path / "data")
    shutil.copy(data / "bars" / "bars_3.png", data / "posts" / "twin.png")
    config = replace(tiny_config, data=str(data))
    expected = (
        "1 image appears under two labels (first: posts/twin.png, a copy of bars/bars_3.png: "
        "posts and bars)"
    )
    assert quiet(config).notes[0] == expected
    with pytest.raises(InputError, match="under two labels"):
        quiet(replace(config, strict=True))
    size = ["--image-size", "32x32", "--out", str(tmp_path / "run")]
    assert edgecl(["train", "--data", str(data), "--strict", *size]) == 2
    assert expected in capsys.readouterr().err


def test_given_groups_are_joined_by_copies(with_copies, tmp_path):
    table = tmp_path / "groups.csv"
    files = [f"bars/bars_{n}.png" for n in range(1, 11)]
    again = [f"bars/again_{n}.{'png' if n % 2 else 'bmp'}" for n in range(1, 11)]
    others = [f"{k}/{k}_{n}.png" for k in ("bars", "blob", "posts") for n in range(1, 41)]
    rows = [f"{file},{row // 2}" for row, file in enumerate(files)]
    rows += [f"{file},late" for file in again[:2]] + [f"{file}," for file in again[2:]]
    rows += [f"{file}," for file in others if file not in files]
    table.write_text("file,group\n" + "\n".join(rows) + "\n")
    prepared = quiet(replace(with_copies, groups=str(table)))
    group = dict(zip(prepared.dataset.files, prepared.dataset.groups, strict=True))
    assert {group[file] for file in (*files[:2], *again[:2])} == {group["bars/bars_1.png"]}
    assert group["bars/again_7.png"] == group["bars/bars_7.png"] == group["bars/bars_8.png"]
    assert any("118 images without a group" in note for note in prepared.notes)
