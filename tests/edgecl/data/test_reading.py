"""Readers: the layouts, and the files that people really have."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecl.data.reading import read_labelled, read_unlabelled
from runtime.artifact.contract import InputContract
from runtime.errors import InputError

CONTRACT = InputContract(16, 24)


def image(path: Path, *, height: int = 20, width: int = 20, value: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(value).integers(0, 255, (height, width)).astype(np.uint8)
    cv2.imwrite(str(path), pixels)
    return path


def test_class_folders(tmp_path):
    image(tmp_path / "pits" / "a.png")
    image(tmp_path / "clean" / "deep" / "b.jpg")
    dataset = read_labelled(tmp_path, CONTRACT)
    assert dataset.labels == ("clean", "pits")
    assert dataset.files == ["clean/deep/b.jpg", "pits/a.png"]
    assert dataset.targets.tolist() == [0, 1]
    assert dataset.stretched.shape == (2, 16, 24)
    assert dataset.groups == dataset.files


def test_flat_names_of_neu(tmp_path):
    for name in ("rolled-in_scale_12.jpg", "rolled-in_scale_2.jpg", "crazing_1.jpg"):
        image(tmp_path / name)
    dataset = read_labelled(tmp_path, CONTRACT)
    assert dataset.labels == ("crazing", "rolled-in_scale")
    assert dataset.files == ["crazing_1.jpg", "rolled-in_scale_2.jpg", "rolled-in_scale_12.jpg"]


def test_a_flat_name_without_a_number_has_no_class(tmp_path):
    image(tmp_path / "crazing_1.jpg")
    image(tmp_path / "holiday.jpg")
    with pytest.raises(InputError, match=r"holiday\.jpg has no class"):
        read_labelled(tmp_path, CONTRACT)


def test_loose_images_beside_class_folders_are_refused(tmp_path):
    image(tmp_path / "pits" / "a.png")
    image(tmp_path / "lost_1.png")
    with pytest.raises(InputError, match=r"lost_1\.png"):
        read_labelled(tmp_path, CONTRACT)


@pytest.fixture
def damaged(tmp_path):
    for label in ("clean", "pits"):
        for number in range(3):
            image(tmp_path / label / f"{number}.jpg", height=60, width=60)
    whole = (tmp_path / "pits" / "0.jpg").read_bytes()
    (tmp_path / "pits" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "pits" / "note.png").write_text("buy milk")
    (tmp_path / "pits" / "empty.bmp").write_bytes(b"")
    return tmp_path


def test_broken_files_are_named_and_skipped(damaged):
    dataset = read_labelled(damaged, CONTRACT)
    assert len(dataset) == 6
    reasons = {item.file: item.reason for item in dataset.skipped}
    assert set(reasons) == {"pits/cut.jpg", "pits/note.png", "pits/empty.bmp"}
    assert "truncated" in reasons["pits/cut.jpg"]
    assert "empty" in reasons["pits/empty.bmp"]


def test_strict_refuses_the_first_broken_file(damaged):
    with pytest.raises(InputError, match=r"cut\.jpg cannot be used"):
        read_labelled(damaged, CONTRACT, strict=True)


def test_odd_sizes_are_counted_and_refused_when_strict(tmp_path):
    for label in ("clean", "pits"):
        image(tmp_path / label / "a.png")
        image(tmp_path / label / "b.png")
    image(tmp_path / "pits" / "odd.png", height=7, width=301)
    assert read_labelled(tmp_path, CONTRACT).sizes == {(20, 20): 4, (7, 301): 1}
    with pytest.raises(InputError, match="7x301"):
        read_labelled(tmp_path, CONTRACT, strict=True)


@pytest.mark.parametrize("content", ["nothing", "text", "broken"])
def test_a_folder_without_images_is_refused(tmp_path, content):
    if content == "text":
        (tmp_path / "readme.txt").write_text("hello")
    if content == "broken":
        (tmp_path / "pits").mkdir()
        (tmp_path / "pits" / "a.png").write_text("hello")
    with pytest.raises(InputError, match=r"no images in|none of the 1 files"):
        read_labelled(tmp_path, CONTRACT)


def test_a_missing_folder_and_a_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_labelled(tmp_path / "nowhere", CONTRACT)
    with pytest.raises(InputError, match="is a file"):
        read_labelled(image(tmp_path / "a.png"), CONTRACT)


def test_one_class_is_refused(tmp_path):
    image(tmp_path / "pits" / "a.png")
    with pytest.raises(InputError, match=r"only one class \(pits\)"):
        read_labelled(tmp_path, CONTRACT)


def test_colour_alpha_and_sixteen_bits_become_gray(tmp_path):
    rng = np.random.default_rng(0)
    for name, shape, kind in (
        ("colour", (20, 20, 3), np.uint8),
        ("alpha", (20, 20, 4), np.uint8),
        ("deep", (20, 20), np.uint16),
    ):
        pixels = rng.integers(0, np.iinfo(kind).max, shape).astype(kind)
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), pixels)
    dataset = read_labelled(tmp_path, CONTRACT)
    assert dataset.stretched.dtype == np.uint8
    assert len(dataset) == 3


def test_unlabelled_folders_take_any_layout(tmp_path):
    image(tmp_path / "a" / "x.png")
    image(tmp_path / "b" / "deep" / "y.jpg")
    dataset = read_unlabelled([tmp_path / "a", tmp_path / "b"], CONTRACT)
    assert dataset.files == ["x.png", "deep/y.jpg"]
    assert dataset.labels == ()
    assert len(read_unlabelled([], CONTRACT)) == 0


def test_the_digest_sees_a_changed_file_but_not_the_order(tmp_path):
    image(tmp_path / "a" / "x.png")
    image(tmp_path / "b" / "y.png")
    dataset = read_labelled(tmp_path, CONTRACT)
    assert dataset.take(np.array([1, 0])).digest() == dataset.digest()
    image(tmp_path / "b" / "y.png", value=91)
    assert read_labelled(tmp_path, CONTRACT).digest() != dataset.digest()


def test_masks_beside_the_images_are_no_images(tmp_path):
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
        for name in ("In_1", "In_2", "Pa_1"):
            image = rng.integers(0, 255, (20, 20), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / part / f"{name}.png"), image)
    dataset = read_labelled(tmp_path, InputContract(16, 16))
    assert list(dataset.files) == ["In_1.png", "In_2.png", "Pa_1.png"]
    assert dataset.labels == ("In", "Pa")
    assert len(read_unlabelled([tmp_path], InputContract(16, 16))) == 3
