"""Frames out of a GenICam camera's bytes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from runtime.camera.genicam.formats import BY_NAME, BY_VALUE, image_of
from runtime.errors import FrameError

HEIGHT, WIDTH = 5, 7  # odd: the last group of packed samples is not full


def samples(bits: int) -> np.ndarray:
    values = np.random.default_rng(bits).integers(0, 1 << bits, HEIGHT * WIDTH)
    values[:2] = (0, (1 << bits) - 1)
    return values.astype(np.uint16)


def packed(values: np.ndarray, name: str) -> bytes:
    """Samples packed bit by bit, as the standards draw it."""
    if name.endswith("p"):
        bits = 10 if "10" in name else 12
        stream = "".join(f"{value:0{bits}b}"[::-1] for value in values)
        stream += "0" * (-len(stream) % 8)
        return bytes(int(stream[at : at + 8][::-1], 2) for at in range(0, len(stream), 8))
    low = 2 if "10" in name else 4
    padded = np.append(values, 0) if len(values) % 2 else values
    out = bytearray()
    for one, two in padded.reshape(-1, 2).tolist():
        mask = (1 << low) - 1
        out += bytes([one >> low, (one & mask) | (two & mask) << 4, two >> low])
    return bytes(out)


@pytest.mark.parametrize(("name", "bits"), [("Mono10", 10), ("Mono12", 12), ("Mono16", 16)])
def test_samples_in_words(name, bits):
    values = samples(bits)
    image = image_of(values.astype("<u2").tobytes(), BY_NAME[name], HEIGHT, WIDTH)
    assert image.dtype == np.uint16
    assert np.array_equal(image.ravel(), values)
    assert BY_NAME[name].bits == bits


@pytest.mark.parametrize("name", ["Mono10p", "Mono12p", "Mono10Packed", "Mono12Packed"])
def test_packed_samples(name):
    values = samples(BY_NAME[name].bits)
    image = image_of(packed(values, name), BY_NAME[name], HEIGHT, WIDTH)
    assert image.shape == (HEIGHT, WIDTH)
    assert np.array_equal(image.ravel(), values)


def test_padding_behind_each_line_is_left_out():
    image = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH)
    data = np.pad(image, ((0, 0), (0, 3)), constant_values=255).tobytes()
    for sent in (data, data[:-3]):  # some cameras leave the last padding out
        assert np.array_equal(image_of(sent, BY_NAME["Mono8"], HEIGHT, WIDTH, 3), image)
    values = samples(12).reshape(HEIGHT, WIDTH)
    lines = b"".join(packed(line, "Mono12p") + b"\xff\xff" for line in values)
    assert np.array_equal(image_of(lines, BY_NAME["Mono12p"], HEIGHT, WIDTH, 2), values)


@pytest.mark.parametrize(
    ("tile", "red"), [("RG", (0, 0)), ("GR", (0, 1)), ("GB", (1, 0)), ("BG", (1, 1))]
)
@pytest.mark.parametrize("depth", ["8", "12"])
def test_a_red_scene_is_as_gray_through_bayer_as_in_bgr(tile, red, depth):
    """Only where the pattern is read from the right corner."""
    kind, white = (np.uint8, 200) if depth == "8" else (np.dtype("<u2"), 3200)
    mosaic = np.zeros((8, 8), kind)
    mosaic[red[0] :: 2, red[1] :: 2] = white
    gray = image_of(mosaic.tobytes(), BY_NAME[f"Bayer{tile}{depth}"], 8, 8)
    expected = round(0.299 * white)
    assert gray.shape == (8, 8)
    assert np.abs(gray[2:6, 2:6].astype(int) - expected).max() <= 1


def test_colour_comes_as_bgr():
    rgb = np.zeros((2, 4, 3), np.uint8)
    rgb[..., 0] = 250
    for name, data in (
        ("RGB8", rgb),
        ("BGR8", rgb[..., ::-1]),
        ("RGBa8", np.dstack([rgb, np.zeros((2, 4), np.uint8)])),
        ("BGRa8", np.dstack([rgb[..., ::-1], np.zeros((2, 4), np.uint8)])),
    ):
        image = image_of(np.ascontiguousarray(data).tobytes(), BY_NAME[name], 2, 4)
        assert np.array_equal(image, rgb[..., ::-1]), name
    gray = np.full((2, 4), 90, np.uint8)
    yuyv = np.stack([gray, np.full_like(gray, 128)], axis=-1)
    image = image_of(yuyv.tobytes(), BY_NAME["YUV422_8"], 2, 4)
    expected = cv2.cvtColor(yuyv, cv2.COLOR_YUV2BGR_YUY2)
    assert np.array_equal(image, expected)
    image = image_of(np.ascontiguousarray(yuyv[..., ::-1]), BY_NAME["YUV422_8_UYVY"], 2, 4)
    assert np.array_equal(image, expected)


def test_too_few_bytes_are_a_fault():
    with pytest.raises(FrameError, match="its 34 bytes are too few for 7×5 pixels"):
        image_of(bytes(34), BY_NAME["Mono8"], HEIGHT, WIDTH)
    with pytest.raises(FrameError, match="too few"):
        image_of(b"", BY_NAME["Mono8"], 0, 0)


def test_a_value_names_one_format():
    assert len(BY_VALUE) == len(BY_NAME)
    # The bits that a pixel takes stand in its number.
    for known in BY_NAME.values():
        packing = known.packing
        bits = 8 * packing.size * known.channels / packing.samples
        assert (known.value >> 16) & 0xFF == bits, known.name
        assert known.bytes_of(4, 10) * 8 == 40 * bits
