"""Data of a run in tiles: mixed sizes, small images, other scales, and what makes no sense."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from edgecl.data.pixels.tiled import TiledImages
from edgecl.learning.config import TrainConfig
from edgecl.learning.run.preparation import prepare
from runtime.errors import InputError


def silent(*_: object) -> None:
    pass


def folder_of(folder, sizes, dtype=np.uint8, most=256):
    rng = np.random.default_rng(0)
    for label in ("bars", "blob"):
        (folder / label).mkdir(parents=True)
        for number, size in enumerate(sizes):
            pixels = rng.integers(0, most, size).astype(dtype)
            assert cv2.imwrite(str(folder / label / f"{number}.png"), pixels)
    return folder


def config_of(folder, **more) -> TrainConfig:
    return TrainConfig(
        data=str(folder), method="none", **{"geometry": "tiles", "image_size": (24, 24), **more}
    )


def test_images_keep_their_sizes(tmp_path):
    sizes = [(30, 40), (64, 300), (24, 24), (25, 1000)] * 3
    prepared = prepare(config_of(folder_of(tmp_path / "d", sizes)), silent)
    images = prepared.dataset.images
    assert isinstance(images, TiledImages)
    assert sorted({image.shape for image in images}) == sorted(set(sizes))
    assert not [note for note in prepared.notes if "stretched" in note]


def test_a_scale_holds_for_all(tmp_path):
    folder = folder_of(tmp_path / "d", [(60, 80), (64, 300)] * 4)
    images = prepare(config_of(folder, scale=0.5), silent).dataset.images
    assert {image.shape for image in images} == {(30, 40), (32, 150)}


def test_small_images_are_named(tmp_path):
    folder = folder_of(tmp_path / "d", [(60, 80)] * 5 + [(60, 20)])
    notes = prepare(config_of(folder), silent).notes
    assert "2 of 12 images are smaller than a tile of 24x24 and were continued by reflection" in (
        notes
    )


@pytest.mark.parametrize("more", [{"image_size": (96, 96)}, {"scale": 0.01}])
def test_tiles_larger_than_every_image_are_refused(tmp_path, more):
    folder = folder_of(tmp_path / "d", [(60, 80), (20, 90)] * 4)
    with pytest.raises(InputError, match=r"larger than every image .*smaller --tile"):
        prepare(config_of(folder, **more), silent)


def test_mixed_sizes_are_still_stretched_where_asked_for(tmp_path):
    folder = folder_of(tmp_path / "d", [(60, 80)] * 5 + [(60, 20)])
    prepared = prepare(config_of(folder, geometry="stretch"), silent)
    assert prepared.dataset.stretched.shape[1:] == (24, 24)
    assert any("were stretched" in note for note in prepared.notes)


def test_unlabelled_images_of_another_size_are_pointed_out(tmp_path):
    folder = folder_of(tmp_path / "d", [(60, 80)] * 8)
    same = folder_of(tmp_path / "same", [(60, 80)] * 2)
    other = folder_of(tmp_path / "other", [(128, 400)] * 2)
    at = config_of(folder)

    def notes(pile) -> list[str]:
        prepared = prepare(replace(at, unlabelled=(str(pile),), allow_leak=True), silent)
        return [note for note in prepared.notes if "same scale" in note]

    assert notes(other) == [
        "the unlabelled images are usually 128x400, the labelled ones 60x80: in tiles both must "
        "show the surface at the same scale"
    ]
    assert not notes(same)
    at = replace(at, geometry="stretch")
    (whole,) = (
        note
        for note in prepare(replace(at, unlabelled=(str(other),), allow_leak=True), silent).notes
        if "128x400, the labelled ones 60x80" in note
    )
    assert "as much of the surface, in the same proportions" in whole


def test_a_scale_that_leaves_nothing_is_told_as_that(tmp_path):
    """Images of one pixel are equal, and equal images are one group."""
    folder = folder_of(tmp_path / "d", [(60, 80)] * 8)
    with pytest.raises(InputError, match=r"larger than every image \(at most 1x1 at scale 0.001"):
        prepare(config_of(folder, scale=0.001), silent)


def test_12_bits_become_8_as_on_the_line(tmp_path):
    folder = folder_of(tmp_path / "d", [(60, 80)] * 6, np.uint16, 1 << 12)
    prepared = prepare(config_of(folder), silent)
    assert prepared.dataset.bits == 12
    assert max(int(image.max()) for image in prepared.dataset.images) > 250


def test_a_pile_with_broken_files_goes_on_and_says_which_they_are(tmp_path):
    folder = folder_of(tmp_path / "d", [(60, 80)] * 8)
    pile = folder_of(tmp_path / "pile", [(60, 80)] * 10)
    for number, path in enumerate(sorted(pile.glob("*/*.png"))[:6]):
        path.write_bytes(path.read_bytes()[:200] if number % 2 else b"")
    at = replace(config_of(folder), unlabelled=(str(pile),), allow_leak=True)
    prepared = prepare(at, silent)
    assert len(prepared.extra) == 14
    told = [note for note in prepared.notes if note.startswith("unlabelled images: skipped 3")]
    assert len(told) == 2
    assert "the file is empty" in told[0] + told[1]
    with pytest.raises(InputError, match=r"0\.png cannot be used: the file is empty"):
        prepare(replace(at, strict=True), silent)


def test_a_class_too_small_for_every_fold_is_named(tmp_path):
    folder = folder_of(tmp_path / "d", [(60, 80)] * 12)
    for path in sorted((folder / "blob").iterdir())[3:]:
        path.unlink()
    for fold in (0, 4):
        with pytest.raises(InputError, match=r"class blob has 3 group.*too few for 5 folds"):
            prepare(config_of(folder, folds=5, fold=fold), silent)


@pytest.mark.parametrize("folds", [0, 3])
def test_a_test_part_of_few_images_says_what_one_of_them_is_worth(tmp_path, folds):
    prepared = prepare(config_of(folder_of(tmp_path / "d", [(60, 80)] * 9), folds=folds), silent)
    count = len(prepared.split.test)
    (note,) = (note for note in prepared.notes if note.startswith("the test part has"))
    assert f"{count} images, so one of them is {100 / count:.0f} points" in note
    assert ("--folds" in note) == (folds == 0)
