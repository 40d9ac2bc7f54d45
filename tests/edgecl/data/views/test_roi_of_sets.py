"""Sets that are cut to a region of interest: the same pixels in training and on the line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecl.data.reading import read_labelled, read_unlabelled
from runtime.artifact.contract import InputContract
from runtime.artifact.roi import Roi
from runtime.artifact.tiling import Tiling
from runtime.errors import InputError
from tests.edgecl.data.views.agreement import read_as_the_line_does

ROI = Roi(left=4, top=6, width=50, height=30)
STRETCHED = InputContract(24, 40, "auto", roi=ROI)
TILED = InputContract(16, 24, tiling=Tiling((16, 24), scale=0.8), roi=ROI)
UNSCALED = InputContract(16, 24, tiling=Tiling((16, 24)), roi=ROI)


def write_set(folder: Path, *, bits: int = 8, count: int = 6) -> Path:
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 1 << bits, (40 + number, 60))
        path = folder / ("crack", "good")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), pixels.astype(np.uint8 if bits == 8 else np.uint16))
    return folder


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("contract", [STRETCHED, TILED, UNSCALED])
def test_training_and_line_see_the_same_pixels(bits, contract, tmp_path):
    folder = write_set(tmp_path / "set", bits=bits)
    trained = read_as_the_line_does(folder, contract)
    assert trained.sizes == {(30, 50): 6}


def test_an_image_that_is_too_small_is_named_and_counted(tmp_path):
    folder = write_set(tmp_path)
    cv2.imwrite(str(folder / "good" / "small.png"), np.zeros((35, 60), np.uint8))
    for contract in (STRETCHED, TILED):
        dataset = read_labelled(folder, contract)
        assert len(dataset) == 6
        (skipped,) = dataset.skipped
        assert skipped.file == "good/small.png"
        assert "60 wide and 35 high, too small for the ROI 4,6,50,30" in skipped.reason
        with pytest.raises(InputError, match=r"small\.png cannot be used: .*too small"):
            read_labelled(folder, contract, strict=True)


def test_a_region_that_no_image_has_is_one_line(tmp_path):
    folder = write_set(tmp_path)
    contract = replace(STRETCHED, roi=Roi(100, 0, 50, 30))
    with pytest.raises(InputError, match=r"none of the 6 files .* is a usable image .*--roi"):
        read_labelled(folder, contract)
    with pytest.raises(InputError, match="--roi"):
        read_unlabelled([folder], contract)


def test_what_lies_outside_does_not_decide_the_depth_of_an_image(tmp_path):
    folder = write_set(tmp_path, bits=10)
    path = folder / "good" / "1.png"
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    pixels[0, 0] = 4000  # a hot pixel
    cv2.imwrite(str(path), pixels)
    assert read_labelled(folder, replace(STRETCHED, bits=10)).bits == 10
    with pytest.raises(InputError, match="has the value 4000"):
        read_labelled(folder, replace(STRETCHED, bits=10, roi=None))


def test_the_pixels_that_are_kept_are_no_part_of_the_whole_image(tmp_path):
    whole_width = replace(UNSCALED, roi=Roi(0, 6, 60, 30))
    images = read_labelled(write_set(tmp_path), whole_width).images
    assert all(image.base is None for image in images)
