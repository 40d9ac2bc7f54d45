"""Sets of images that a flat-field corrects: the same pixels in training and on the line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecl.data.reading import read_labelled, read_unlabelled
from edgecl.learning.config import TrainConfig
from edgecl.learning.run.sources import frame_view_of
from runtime.artifact.contract import InputContract
from runtime.artifact.roi import Roi
from runtime.artifact.tiling import Tiling
from runtime.errors import InputError
from runtime.image.view import FrameView
from tests.edgecl.data.views.agreement import read_as_the_line_does
from tests.runtime.image.flat_fields import drawn_flat, frames_of, stored_flat

ROI = Roi(left=4, top=6, width=50, height=30)
STRETCHED = InputContract(24, 40, "auto")
TILED = InputContract(16, 24, tiling=Tiling((16, 24)))


def write_set(folder: Path, flat, *, suffix: str = ".png") -> Path:
    for number, pixels in enumerate(frames_of(flat)):
        path = folder / ("crack", "good")[number % 2] / f"{number}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), pixels)
    return folder


@pytest.mark.parametrize("roi", [None, ROI])
@pytest.mark.parametrize(("bits", "per"), [(8, "column"), (12, "column"), (8, "pixel")])
@pytest.mark.parametrize("contract", [STRETCHED, TILED])
def test_training_and_line_see_the_same_pixels(contract, bits, per, roi, tmp_path):
    flat = drawn_flat(bits=bits, per=per)
    folder, view = write_set(tmp_path / "set", flat), FrameView(roi, flat)
    trained = read_as_the_line_does(folder, contract, view)
    assert trained.bits == (None if bits == 8 else bits)
    plain = read_labelled(folder, contract, view=FrameView(roi)).images
    assert any((one != other).any() for one, other in zip(plain, trained.images, strict=True))


def test_an_image_of_another_form_is_named_and_counted(tmp_path):
    flat = drawn_flat()
    folder = write_set(tmp_path, flat)
    cv2.imwrite(str(folder / "good" / "narrow.png"), np.zeros((50, 60), np.uint8))
    cv2.imwrite(str(folder / "good" / "deep.png"), np.full((50, 70), 4000, np.uint16))
    dataset = read_labelled(folder, TILED, view=FrameView(None, flat))
    assert len(dataset) == 6
    reasons = {skipped.file: skipped.reason for skipped in dataset.skipped}
    assert "60 wide and 50 high, but the flat-field is 70 wide" in reasons["good/narrow.png"]
    assert "uint16" in reasons["good/deep.png"]
    with pytest.raises(InputError, match=r"(deep|narrow)\.png cannot be used"):
        read_labelled(folder, TILED, view=FrameView(None, flat), strict=True)


@pytest.mark.parametrize("form", [{"size": (50, 71)}, {"bits": 12}, {"bits": 16}])
def test_a_flat_field_of_another_camera_is_one_line(form, tmp_path):
    folder = write_set(tmp_path, drawn_flat())
    view = FrameView(None, drawn_flat(**form))
    with pytest.raises(InputError, match=r"none of the 6 files .* usable .*--flat"):
        read_unlabelled([folder], STRETCHED, view=view)


def test_the_choices_of_a_run_name_the_file(tmp_path):
    stored_flat(tmp_path / "f.npz", bits=12)
    view = frame_view_of(TrainConfig(flat=str(tmp_path / "f.npz"), roi="4,6,50,30"))
    assert view.flat is not None
    assert (view.flat.record.bits, view.roi) == (12, ROI)
    with pytest.raises(InputError, match="--bits 10 differs from the 12 bits"):
        frame_view_of(TrainConfig(flat=str(tmp_path / "f.npz"), bits=10))
    with pytest.raises(InputError, match="cannot be read"):
        frame_view_of(TrainConfig(flat=str(tmp_path / "no.npz")))
