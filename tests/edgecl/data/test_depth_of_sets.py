"""The depth of a set: found, given, the same in training and on the line, and in the contract."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecl.data.reading import read_labelled, read_unlabelled
from runtime.artifact.contract import InputContract
from runtime.camera import open_camera
from runtime.errors import InputError
from runtime.image.preprocess import Preprocessor
from tests.runtime.image.formats.files import encoded, pgm, steel, tiff

SHAPE = (48, 80)
CONTRACT = InputContract(24, 40, "auto")


def deep(bits: int, seed: int) -> np.ndarray:
    return (steel(seed=seed).astype(np.uint32) * ((1 << bits) - 1) // 255).astype(np.uint16)


def write_set(folder: Path, bits: int, *, how: str = "tif", count: int = 6) -> Path:
    for number in range(count):
        path = folder / ("crack", "good")[number % 2] / f"{number}.{how}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if bits == 8:
            cv2.imwrite(str(path), steel(seed=number))
        elif how == "png":
            path.write_bytes(encoded(deep(bits, number), "PNG"))
        elif how == "pgm":
            path.write_bytes(pgm(deep(bits, number), (1 << bits) - 1))
        else:
            path.write_bytes(tiff(deep(bits, number), 16))
    return folder


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("how", ["tif", "png"])
def test_a_deep_set_is_read_as_its_8_bit_twin(bits, how, tmp_path):
    twin = read_labelled(write_set(tmp_path / "twin", 8, how="png"), CONTRACT)
    found = read_labelled(write_set(tmp_path / "deep", bits, how=how), CONTRACT)
    assert found.bits == bits
    assert twin.bits is None
    assert np.abs(found.stretched.astype(int) - twin.stretched).max() <= 1
    noted = [note for note in found.notes if "read as" in note]
    assert len(noted) == (bits < 16)


def test_what_the_files_say_needs_no_note_and_no_contract(tmp_path):
    found = read_labelled(write_set(tmp_path / "deep", 12, how="pgm"), CONTRACT)
    assert found.bits is None
    assert not [note for note in found.notes if "bits" in note]
    assert found.stretched.max() > 200


def test_one_deeper_image_late_in_a_large_set_decides(tmp_path):
    folder = write_set(tmp_path / "deep", 10, count=300)
    (folder / "good" / "177.tif").write_bytes(tiff(deep(12, 1), 16))
    found = read_labelled(folder, CONTRACT)
    assert found.bits == 12
    assert len(found) == 300


def test_a_given_depth_counts_and_a_wrong_one_is_refused(tmp_path):
    folder = write_set(tmp_path / "deep", 12)
    given = read_labelled(folder, replace(CONTRACT, bits=14))
    assert given.bits == 14
    assert given.stretched.max() < 64
    with pytest.raises(InputError, match=r"not fit in the 10 bits of --bits.*use --bits 12"):
        read_labelled(folder, replace(CONTRACT, bits=10))


def test_two_cameras_in_one_set_are_said(tmp_path):
    folder = write_set(tmp_path / "deep", 12)
    for number in range(3):
        (folder / "good" / f"other_{number}.tif").write_bytes(tiff(deep(16, number), 16))
    notes = read_labelled(folder, CONTRACT).notes
    assert any("6 of 9 16-bit images" in note for note in notes)
    for number in range(3):
        (folder / "good" / f"other_{number}.tif").write_bytes(tiff(deep(10, number), 16))
    notes = read_labelled(folder, CONTRACT).notes
    assert any("3 of 9 16-bit images" in note and "the 12 bits" in note for note in notes)


def test_each_unlabelled_folder_has_a_depth_of_its_own(tmp_path):
    folders = [write_set(tmp_path / str(bits), bits) for bits in (10, 16)]
    read = read_unlabelled(folders, CONTRACT)
    first, second = read.stretched[:6].astype(int), read.stretched[6:].astype(int)
    assert np.abs(first - second).max() <= 1


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_training_and_line_see_the_same_pixels(bits, tmp_path):
    folder = write_set(tmp_path / "set", bits, how="png")
    trained = read_labelled(folder, CONTRACT)
    on_line = Preprocessor(replace(CONTRACT, bits=trained.bits))
    camera = open_camera(str(folder))
    seen = {}
    while (frame := camera.read()) is not None:
        out = on_line.allocate()
        assert frame.pixels is not None
        on_line(frame.pixels, out[0, 0], bits=frame.bits)
        seen[frame.name] = out[0, 0]
    assert sorted(seen) == sorted(trained.files)
    for file, image in zip(trained.files, trained.stretched, strict=True):
        np.testing.assert_array_equal(seen[file], image)
