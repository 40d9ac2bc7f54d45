"""Depth: known from the file, given, or found; never guessed in silence."""

from __future__ import annotations

import json

import numpy as np
import pytest

from runtime.artifact.contract import InputContract, ModelContract
from runtime.errors import FrameError, InputError
from runtime.image.decode import decode_gray, decode_image
from runtime.image.depth import depth_of, scaled_to_8_bits, to_8_bits
from runtime.image.preprocess import Preprocessor, interpolation_for
from runtime.image.survey import Survey, survey_depth
from tests.runtime.image.formats.files import SHAPE, encoded, pgm, steel, tiff

STEEL = steel()


def deep(bits: int, image: np.ndarray = STEEL) -> np.ndarray:
    """The image as a camera of that depth has it in the lower bits of 16."""
    return (image.astype(np.uint32) * ((1 << bits) - 1) // 255).astype(np.uint16)


@pytest.mark.parametrize("bits", [9, 10, 12, 14])
def test_a_pgm_says_its_white(bits):
    decoded = decode_image(pgm(deep(bits), (1 << bits) - 1))
    assert decoded.dtype == np.uint8
    np.testing.assert_allclose(decoded.astype(int), STEEL, atol=1)


@pytest.mark.parametrize("maxval", [100, 1000, 3000, 60_000])
def test_a_pgm_whose_white_is_no_power_of_two(maxval):
    samples = np.array([[0, maxval // 2, maxval]], np.uint16)
    np.testing.assert_array_equal(decode_image(pgm(samples, maxval)), [[0, 128, 255]])


def test_a_value_above_the_files_white_is_damage():
    with pytest.raises(FrameError, match="4000"):
        decode_image(pgm(np.full((4, 4), 4000, np.uint16), 1023))


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_a_tiff_of_packed_samples_says_its_depth(bits):
    decoded = decode_image(tiff(deep(bits), bits))
    assert decoded.dtype == np.uint8
    np.testing.assert_allclose(decoded.astype(int), STEEL, atol=1)


def test_a_tiffs_largest_sample_counts_where_it_is_a_depth():
    for tag in (281, 341):
        decoded = decode_image(tiff(deep(12), 16, tags={tag: 4095}))
        assert decoded.dtype == np.uint8
        np.testing.assert_allclose(decoded.astype(int), STEEL, atol=1)
    # Some writers put the brightest value of the image there.
    assert decode_image(tiff(deep(12), 16, tags={281: 3771})).dtype == np.uint16


def test_a_writer_that_knows_of_no_depth_says_65535():
    """OpenCV's does, whatever the camera's depth was."""
    decoded = decode_image(pgm(deep(12), 65535))
    assert decoded.dtype == np.uint16
    np.testing.assert_array_equal(decoded, deep(12))


def test_white_that_is_zero_of_a_depth_that_nothing_says():
    shallow = (4095 - deep(12)).astype(np.uint16)
    with pytest.raises(FrameError, match="it stores white as 0 and its largest value is"):
        decode_image(tiff(shallow, 16, tags={262: 0}))
    tagged = decode_image(tiff(shallow, 16, tags={262: 0, 281: 4095}))
    np.testing.assert_allclose(tagged.astype(int), STEEL, atol=1)


def test_white_that_is_zero():
    inverted = (65535 - STEEL.astype(np.uint16) * 257).astype(np.uint16)
    np.testing.assert_allclose(
        decode_gray(tiff(inverted, 16, tags={262: 0})).astype(int), STEEL, atol=1
    )
    np.testing.assert_array_equal(decode_gray(tiff(255 - STEEL, 8, tags={262: 0})), STEEL)


@pytest.mark.parametrize("data", [tiff(deep(12), 16), encoded(deep(12), "PNG")])
def test_where_nothing_says_the_depth_the_samples_stay(data):
    decoded = decode_image(data)
    assert decoded.dtype == np.uint16
    np.testing.assert_array_equal(decoded, deep(12))
    np.testing.assert_array_equal(decode_gray(data, bits=12), deep(12) >> 4)
    with pytest.raises(FrameError, match="10 bits end at 1023"):
        decode_gray(data, bits=10)


def test_scaling():
    samples = np.array([0, 15, 16, 4095], np.uint16)
    np.testing.assert_array_equal(to_8_bits(samples, 12), [0, 0, 1, 255])
    np.testing.assert_array_equal(to_8_bits(np.array([255], np.uint16), 8), [255])
    np.testing.assert_array_equal(scaled_to_8_bits(samples, 4095), [0, 0, 1, 255])
    assert [depth_of(value) for value in (0, 255, 256, 1023, 1024, 4095, 4096, 65535)] == [
        8, 8, 10, 10, 12, 12, 14, 16,
    ]  # fmt: skip


def prepared(frame: np.ndarray, preprocess: Preprocessor, bits: int | None = None) -> np.ndarray:
    out = preprocess.allocate()
    preprocess(frame, out[0, 0], bits=bits)
    frame_out: np.ndarray = out[0, 0]
    return frame_out


def test_a_frame_is_scaled_by_the_source_then_by_what_was_given_then_by_the_contract():
    contract = InputContract(*SHAPE, bits=12)
    np.testing.assert_array_equal(prepared(deep(12), Preprocessor(contract)), deep(12) >> 4)
    given = Preprocessor(contract, bits=14)
    np.testing.assert_array_equal(prepared(deep(14), given), deep(14) >> 6)
    np.testing.assert_array_equal(prepared(deep(10), given, bits=10), deep(10) >> 2)


def test_another_depth_than_the_contracts_is_an_error_and_names_both():
    preprocess = Preprocessor(InputContract(*SHAPE, bits=10))
    with pytest.raises(FrameError, match=r"has the value \d+.*10 bits"):
        prepared(deep(12), preprocess)


def test_a_depth_that_nothing_tells_is_an_error_and_not_a_black_image():
    preprocess = Preprocessor(InputContract(*SHAPE))
    for bits in (10, 12, 14):
        with pytest.raises(FrameError, match=rf"a {bits}-bit camera.*--bits"):
            prepared(deep(bits), preprocess)
    np.testing.assert_array_equal(prepared(deep(16), preprocess), deep(16) >> 8)


def test_colour_frames_of_16_bits():
    colour = np.dstack([deep(12)] * 3)
    preprocess = Preprocessor(InputContract(*SHAPE, bits=12))
    np.testing.assert_array_equal(prepared(colour, preprocess), deep(12) >> 4)


def test_the_contract_keeps_the_depth_and_reads_older_ones():
    contract = ModelContract(InputContract(8, 9, "auto", 12), ("a", "b"))
    assert ModelContract.from_json(contract.to_json(), where="here") == contract
    older = contract.to_json()
    older["schema"] = 1
    older["input"] = {"height": 8, "width": 9, "interpolation": "linear"}
    read = ModelContract.from_json(json.loads(json.dumps(older)), where="here")
    assert read.input == InputContract(8, 9, "linear", None)
    with pytest.raises(InputError, match="8 to 16"):
        InputContract(8, 9, "linear", 7)


def test_the_resize_follows_the_shrink():
    auto = InputContract(100, 200, "auto")
    assert interpolation_for((200, 400), auto) == "linear"
    assert interpolation_for((201, 200), auto) == "area"
    assert interpolation_for((50, 401), auto) == "area"
    assert interpolation_for((1000, 2000), InputContract(100, 200, "linear")) == "linear"


def test_thin_scratches_survive_a_strong_shrink():
    out = InputContract(64, 64, "auto")
    for row in range(0, 500, 7):
        frame = np.full((512, 512), 60, np.uint8)
        frame[row] = 255
        assert prepared(frame, Preprocessor(out)).max() > 70


def test_the_depth_of_a_folder_is_that_of_its_brightest_image(tmp_path):
    for number in range(100):
        dim = (deep(12) // 8).astype(np.uint16)
        (tmp_path / f"{number:03}.tif").write_bytes(tiff(dim, 16))
    paths = sorted(tmp_path.iterdir())
    assert survey_depth(paths) == Survey(10, 64)
    (tmp_path / "000.tif").write_bytes(tiff(deep(12), 16))
    assert survey_depth(paths) == Survey(12, 64, 63)
    (tmp_path / "001.tif").write_text("broken")
    assert survey_depth(paths[:3]) == Survey(12, 2, 1)
    assert survey_depth(paths[1:2]) == Survey(None, 0)
    assert survey_depth([]) == Survey(None, 0)
