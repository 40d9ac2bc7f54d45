"""`edgecl run` with a region of interest: the bundle's, the line's, and none."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run
from runtime.artifact.roi import Roi
from runtime.artifact.tiling import Tiling
from tests.edgecl.cli.run.judging import judged_anew as judged

ROI = Roi(left=10, top=8, width=48, height=32)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch, make_bundle) -> Path:
    """Bundles with and without a region, and dark images with a bright part in that place."""
    make_bundle(tmp_path / "whole.edgecl")
    make_bundle(tmp_path / "cut.edgecl", roi=ROI)
    make_bundle(tmp_path / "tiles.edgecl", roi=ROI, tiling=Tiling((16, 16), combine="worst"))
    (tmp_path / "parts").mkdir()
    for number in range(3):
        pixels = np.full((60, 90), 40 + number, np.uint8)
        pixels[8:40, 10:58] = 215
        cv2.imwrite(str(tmp_path / "parts" / f"{number}.png"), pixels)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_bundles_region_is_judged(workplace, capsys):
    summary, err = judged(capsys, "cut.edgecl")
    assert summary["statuses"]["pass"] == 3
    assert summary["roi"] == "10,8,48,32"
    assert "ROI 10,8,48,32" in err
    assert summary["notes"] == []
    assert judged(capsys, "whole.edgecl")[0]["statuses"]["reject"] == 3


def test_the_line_overrides_it_with_a_note(workplace, capsys):
    summary, err = judged(capsys, "cut.edgecl", "--roi", "none")
    assert summary["statuses"]["reject"] == 3
    assert summary["roi"] is None
    (note,) = summary["notes"]
    assert note == "frames are taken whole; in training, images were cut to the ROI 10,8,48,32"
    assert note in err
    summary, _ = judged(capsys, "whole.edgecl", "--roi", "10,8,48,32")
    assert summary["statuses"]["pass"] == 3
    assert "cut to the ROI 10,8,48,32; in training, images were taken whole" in summary["notes"][0]
    assert judged(capsys, "cut.edgecl", "--roi", "10, 8, 48, 32")[0]["notes"] == []


def test_the_key_and_the_kept_configuration(workplace, capsys):
    Path("line.toml").write_text('[camera]\nroi = "10,8,48,32"\n')
    summary, _ = judged(capsys, "whole.edgecl", "--config", "line.toml")
    assert summary["statuses"]["pass"] == 3
    kept = Path("o0/config.toml").read_text()
    assert 'roi = "10,8,48,32"' in kept
    Path("bad.toml").write_text('[camera]\nroi = "10x8"\n')
    assert run(["run", "--config", "bad.toml", "--camera", "parts"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "bad.toml:2: camera.roi: '10x8' is not a region of interest" in line


def test_the_worst_tile_lies_in_the_whole_frame(workplace, capsys):
    image = cv2.imread("parts/1.png", cv2.IMREAD_UNCHANGED)
    assert image is not None
    image[8:24, 26:42] = 20  # the second tile
    cv2.imwrite("parts/1.png", image)
    judged(capsys, "tiles.edgecl")
    verdicts = [json.loads(line) for line in Path("o0/verdicts.jsonl").read_text().splitlines()]
    assert [line["status"] for line in verdicts] == ["pass", "reject", "pass"]
    worst = verdicts[1]["worst_tile"]
    assert (worst["left"], worst["top"], worst["width"], worst["height"]) == (26, 8, 16, 16)


@pytest.mark.parametrize(
    ("health", "reason"), [("on", "size-changed: the frame is 50 wide"), ("off", "FrameError: ")]
)
def test_a_frame_that_is_too_small_is_a_fault(workplace, capsys, health, reason):
    cv2.imwrite("parts/1.png", np.full((60, 50), 215, np.uint8))
    summary, _ = judged(capsys, "cut.edgecl", "--health", health)
    assert (summary["judged"], summary["faulty"]) == (2, 1)
    verdicts = [json.loads(line) for line in Path("o0/verdicts.jsonl").read_text().splitlines()]
    assert reason in verdicts[1]["reason"]
    assert "too small for the ROI 10,8,48,32" in verdicts[1]["reason"]


def test_a_region_that_no_frame_has_ends_with_one_line(workplace, capsys):
    assert run(["run", "--model", "cut.edgecl", "--camera", "parts", "--roi", "0,0,400,8"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("edgecl: none of 3 frames could be judged")
    assert "too small for the ROI 0,0,400,8" in line


@pytest.mark.parametrize("text", ["", "1,2,3", "0,0,0,5", "a"])
def test_what_is_no_region_is_one_line(workplace, capsys, text):
    assert run(["run", "--camera", "parts", "--roi", text]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "LEFT,TOP,WIDTH,HEIGHT" in line


def test_bench_wants_frames_that_hold_it(workplace, capsys):
    short = ["--frames", "1", "--warmup", "0", "--engine", "onnxruntime", "--out", "b"]
    assert run(["bench", "cut.edgecl", *short, "--frame-size", "30x40"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "cut cannot judge such frames: the frame is 40 wide" in line
    assert "--frame-size" in line
    assert run(["bench", "cut.edgecl", *short, "--frame-size", "60x100"]) == 0
