"""Frames to the model's input: every kind of frame, one meaning."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from runtime.artifact.contract import InputContract
from runtime.errors import FrameError
from runtime.image.decode import decode_gray
from runtime.image.preprocess import Preprocessor


def prepared(frame: np.ndarray, contract: InputContract) -> np.ndarray:
    preprocess = Preprocessor(contract)
    batch = preprocess.allocate()
    preprocess(frame, batch[0, 0])
    image: np.ndarray = batch[0, 0]
    return image


def colour_frame() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (37, 53, 3)).astype(np.uint8)


@pytest.mark.parametrize("interpolation", ["linear", "area"])
def test_gray_then_resize_as_the_contract_says(interpolation):
    frame = colour_frame()
    gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    how = {"linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}[interpolation]
    expected = cv2.resize(gray, (24, 16), interpolation=how)
    np.testing.assert_array_equal(prepared(frame, InputContract(16, 24, interpolation)), expected)


def test_the_same_image_in_every_form_of_frame():
    contract = InputContract(16, 24)
    frame = colour_frame()
    gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    expected = prepared(gray, contract)
    alpha = cv2.cvtColor(frame, cv2.COLOR_BGR2BGRA)
    for form in (frame, alpha, gray[:, :, None], gray.astype(np.uint16) << 8):
        np.testing.assert_array_equal(prepared(form, contract), expected)


def test_a_frame_of_the_models_size_is_taken_as_it_is():
    gray = np.random.default_rng(0).integers(0, 256, (16, 24)).astype(np.uint8)
    np.testing.assert_array_equal(prepared(gray, InputContract(16, 24)), gray)


def test_the_frame_may_change_its_size_and_lie_anyhow_in_memory():
    contract = InputContract(16, 24)
    preprocess = Preprocessor(contract)
    out = preprocess.allocate()
    frame = colour_frame()
    for form in (frame, frame[::2, ::3], frame[:, ::-1], frame):
        preprocess(form, out[0, 0])
        np.testing.assert_array_equal(out[0, 0], prepared(np.ascontiguousarray(form), contract))


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((0, 0), np.uint8),
        np.zeros(5, np.uint8),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4, 4), np.float32),
        np.zeros((2, 4, 4, 3), np.uint8),
    ],
)
def test_what_is_no_frame_is_a_fault_not_a_crash(frame):
    with pytest.raises(FrameError):
        prepared(frame, InputContract(8, 8))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp", ".pgm"])
def test_images_cut_anywhere_are_refused_and_whole_ones_decoded(suffix):
    image = cv2.GaussianBlur(colour_frame()[:, :, 0], (0, 0), 2)
    encoded = cv2.imencode(suffix, image)[1].tobytes()
    assert decode_gray(encoded).shape == image.shape
    for share in (0.0, 0.1, 0.5, 0.9):
        with pytest.raises(FrameError):
            decode_gray(encoded[: int(share * len(encoded))])


def test_padding_after_a_jpeg_is_fine():
    encoded = cv2.imencode(".jpg", colour_frame())[1].tobytes()
    assert decode_gray(encoded + bytes(500)).shape == (37, 53)
