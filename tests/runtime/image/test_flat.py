"""Flat-fields: the correction to the last bit, and files that are damaged."""

from __future__ import annotations

import io
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from runtime.artifact.contract import InputContract
from runtime.artifact.roi import Roi
from runtime.errors import FrameError, InputError
from runtime.image.flat.field import BAND, MOST_GAIN, Corrector, FlatField
from runtime.image.flat.file import flat_beside, read_flat, write_flat
from runtime.image.preprocess import Preprocessor
from runtime.image.view import FrameView, FrameViewer
from tests.runtime.image.flat_fields import drawn_flat, frames_of, stored_flat

ROI = Roi(left=9, top=4, width=31, height=22)
FORMS = [(bits, per) for bits in (8, 10, 12, 16) for per in ("column", "pixel")]


def by_the_formula(flat: FlatField, frame: np.ndarray) -> np.ndarray:
    """(frame − dark) · gain, with gain = mean(bright − dark) / (bright − dark), to 8 bits."""
    response = flat.bright - flat.dark
    gain = response.mean(dtype=np.float64).astype(np.float32) / response
    scale = np.float32(1 << (flat.record.bits - 8))
    levels = (frame.astype(np.float32) - flat.dark) * (gain / scale)
    return np.asarray(np.rint(levels).clip(0, 255), np.uint8)


@pytest.mark.parametrize(("bits", "per"), FORMS)
def test_the_formula_to_the_last_bit(bits, per):
    flat = drawn_flat(bits=bits, per=per, size=(2 * BAND + 7, 70))
    correct = Corrector(flat)
    for frame in frames_of(flat, 3):
        np.testing.assert_array_equal(correct(frame), by_the_formula(flat, frame))


@pytest.mark.parametrize(("bits", "per"), FORMS)
def test_to_correct_and_to_cut_is_the_same_in_either_order(bits, per):
    flat = drawn_flat(bits=bits, per=per)
    whole, part = (FrameViewer(FrameView(roi, flat)) for roi in (None, ROI))
    for frame in frames_of(flat):
        expected = whole(frame)[4:26, 9:40]
        np.testing.assert_array_equal(part(frame), expected)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("rows", [1, 4, BAND + 1])
def test_narrow_and_low_frames(width, rows):
    flat = drawn_flat(size=(8, width))
    (frame,) = frames_of(flat, 1, rows=rows)
    np.testing.assert_array_equal(Corrector(flat)(frame), by_the_formula(flat, frame))


def test_frames_of_any_height_lie_anyhow_in_memory_and_colour_becomes_gray_first():
    flat = drawn_flat()
    see = FrameViewer(FrameView(None, flat))
    for rows in (50, 3, 400, 50):
        (frame,) = frames_of(flat, 1, rows=rows)
        turned = np.asfortranarray(frame)
        np.testing.assert_array_equal(see(turned), by_the_formula(flat, frame))
        np.testing.assert_array_equal(see(np.stack([frame] * 3, axis=2)), see(frame))


def test_what_the_camera_adds_is_gone():
    flat = drawn_flat(bits=12)
    level = (flat.dark + 0.5 * (flat.bright - flat.dark)).astype(np.uint16)
    frame = np.repeat(level, 40, axis=0)
    assert np.ptp((frame >> 4).astype(int)) > 40
    assert np.ptp(Corrector(flat)(frame).astype(int)) <= 1


def test_both_ends_are_clipped_and_not_wrapped_round():
    flat = drawn_flat()
    black, white = np.zeros((4, 70), np.uint8), np.full((4, 70), 255, np.uint8)
    assert not Corrector(flat)(black).any()
    corrected = Corrector(flat)(white)
    assert (corrected[:, (flat.gain > 1.1)[0]] == 255).all()


def test_dead_columns_have_the_largest_gain_and_are_named():
    flat = drawn_flat()
    bright = flat.bright.copy()
    bright[0, [3, 40]] = flat.dark[0, [3, 40]]
    bright[0, 41] = flat.dark[0, 41] - 2
    worse = replace(flat, bright=bright)
    assert worse.dead_named() == ["3", "40", "41"]
    assert np.isfinite(worse.gain).all()
    assert worse.gain[0, 3] == pytest.approx(MOST_GAIN)
    pixel = drawn_flat(per="pixel")
    bright = pixel.bright.copy()
    bright[7, 12] = 0
    assert replace(pixel, bright=bright).dead_named() == ["12,7"]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (np.zeros((50, 69), np.uint8), "69 wide and 50 high, but the flat-field is 70 wide"),
        (np.zeros((50, 70), np.uint16), "uint16 with 8 bits, but the flat-field is uint8"),
    ],
)
def test_frames_of_another_form_are_faults(frame, said):
    flat = drawn_flat()
    with pytest.raises(FrameError, match=said):
        Preprocessor(InputContract(8, 8), view=FrameView(None, flat)).prepare(frame)


def test_a_flat_field_per_pixel_wants_its_height_and_a_deep_one_its_depth():
    pixel = FrameViewer(FrameView(None, drawn_flat(per="pixel")))
    with pytest.raises(FrameError, match="51 high, but the flat-field is 70 wide and 50 high"):
        pixel(np.zeros((51, 70), np.uint8))
    deep = FrameViewer(FrameView(None, drawn_flat(bits=12)))
    with pytest.raises(FrameError, match="uint8 with 8 bits, but the flat-field is uint16 with 12"):
        deep(np.zeros((50, 70), np.uint8))
    with pytest.raises(FrameError, match="uint16 with 10 bits"):
        deep(np.zeros((50, 70), np.uint16), bits=10)
    with pytest.raises(FrameError, match="has the value 5000, but 12 bits"):
        deep(np.full((50, 70), 5000, np.uint16))


def test_a_file_gives_back_what_was_written(tmp_path):
    flat = drawn_flat(bits=12, per="pixel")
    write_flat(tmp_path / "f.npz", flat)
    read = read_flat(tmp_path / "f.npz")
    assert read.record == flat.record
    np.testing.assert_array_equal(read.dark, flat.dark)
    np.testing.assert_array_equal(read.bright, flat.bright)
    assert len(read.digest) == 64
    assert [path.name for path in tmp_path.iterdir()] == ["f.npz"]


def test_a_truncated_or_changed_file_is_one_line(tmp_path):
    path = tmp_path / "f.npz"
    stored_flat(path)
    data = path.read_bytes()
    for share in (0.0, 0.05, 0.3, 0.7, 0.99):
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(InputError, match=r"f\.npz is not a whole flat-field"):
            read_flat(path)
    middle = data.index(b"dark.npy") + 200
    path.write_bytes(data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :])
    with pytest.raises(InputError, match=r"f\.npz is not a whole flat-field"):
        read_flat(path)


def saved(path: Path, **arrays) -> Path:
    np.savez(path, **arrays)
    return path


def test_files_of_another_kind_are_one_line(tmp_path):
    flat = drawn_flat()
    text = np.array('{"schema": 1}')
    shape = {"dark": flat.dark, "bright": flat.bright}
    for path in (
        saved(tmp_path / "a.npz", images=np.zeros(3)),
        saved(tmp_path / "b.npz", record=text, **shape),
        saved(tmp_path / "c.npz", record=np.array("{"), **shape),
        saved(tmp_path / "d.npz", record=np.array({"a": 1}, dtype=object), **shape),
    ):
        with pytest.raises(InputError, match=path.name):
            read_flat(path)
    os.mkfifo(tmp_path / "pipe.npz")
    for path in (tmp_path / "no.npz", tmp_path, tmp_path / "pipe.npz"):
        with pytest.raises(InputError, match="cannot be read"):
            read_flat(path)
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as archive:
        archive.writestr("record.npy", b"no array")
    (tmp_path / "e.npz").write_bytes(stored.getvalue())
    with pytest.raises(InputError, match=r"e\.npz"):
        read_flat(tmp_path / "e.npz")


@pytest.mark.parametrize(
    ("record", "arrays"),
    [
        ({"width": 69}, {}),
        ({"per": "pixel"}, {}),
        ({"bits": 12}, {}),
        ({"bits": 40, "dtype": "uint16"}, {}),
        ({}, {"dark": np.full((1, 70), np.nan, np.float32)}),
        ({}, {"bright": np.zeros((1, 70), np.float32)}),
        ({}, {"bright": np.full((1, 70), 200.0)}),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path, record, arrays):
    flat = drawn_flat()
    changed = replace(flat, record=structs.replace(flat.record, **record), **arrays)
    write_flat(tmp_path / "f.npz", changed)
    with pytest.raises(InputError, match=r"f\.npz is not a whole flat-field"):
        read_flat(tmp_path / "f.npz")


def test_a_contract_with_a_flat_field_does_without_it_in_no_case(tmp_path):
    contract = InputContract(8, 8, flat="0" * 64)
    with pytest.raises(InputError, match="--flat"):
        Preprocessor(contract)
    flat = stored_flat(tmp_path / "flat.npz")
    beside = flat_beside(tmp_path / "model.onnx", flat.digest)
    assert beside is not None
    assert beside.digest == flat.digest
    assert flat_beside(tmp_path / "model.onnx", "0" * 64) is None
    assert flat_beside(tmp_path / "engines" / "a.engine", flat.digest) is not None
