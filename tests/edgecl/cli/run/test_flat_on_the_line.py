"""`edgecl run` with a flat-field: the bundle's, the line's, and none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run
from tests.edgecl.cli.run.judging import judged_anew as judged
from tests.runtime.image.flat_fields import drawn_flat, stored_flat


def write_flat_of(path: Path, *, dark: float, bright: float, bits: int = 8) -> Path:
    """A camera whose left half has another light than its right one."""
    flat = stored_flat(path, size=(40, 90), bits=bits)
    flat.dark[:], flat.bright[:] = dark, bright
    flat.bright[:, 45:] = dark + 3 * (bright - dark)
    from runtime.image.flat.file import write_flat

    write_flat(path, flat)
    return path


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch, make_bundle) -> Path:
    """Bundles with and without a flat-field; images that it makes uniform, and dark."""
    flat = write_flat_of(tmp_path / "line.npz", dark=10, bright=70)
    make_bundle(tmp_path / "plain.edgecl", pass_labels=("dark",))
    make_bundle(tmp_path / "corrected.edgecl", pass_labels=("dark",), flat=flat)
    (tmp_path / "parts").mkdir()
    for number in range(3):
        pixels = np.full((40 + number, 90), 10 + 40, np.uint8)
        pixels[:, 45:] = 10 + 120
        cv2.imwrite(str(tmp_path / "parts" / f"{number}.png"), pixels)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys, model: str, *more: str) -> str:
    _, err = judged(capsys, model, *more, code=2)
    assert "Traceback" not in err
    line: str = err.splitlines()[-1]
    return line


def middle(summary: dict[str, Any]) -> int:
    """Frames of which the model said that they are neither dark nor bright."""
    number = len(list(Path().glob("o*"))) - 1
    lines = map(json.loads, Path(f"o{number}/verdicts.jsonl").read_text().splitlines())
    return sum(line["label"] == "middle" for line in lines)


def test_the_bundles_flat_field_is_removed(workplace, capsys):
    # Of the corrected image every pixel is 80, of the plain one the mean is 90: a label's border.
    summary, err = judged(capsys, "corrected.edgecl")
    assert summary["statuses"]["pass"] == 3
    assert len(summary["flat"]) == 64
    assert summary["notes"] == []
    assert "flat-field of drawn per column, recorded 2026-11-27" in err
    summary, _ = judged(capsys, "plain.edgecl")
    assert summary["flat"] is None
    assert middle(summary) == 3


def test_the_line_overrides_it_with_a_note(workplace, capsys):
    summary, _ = judged(capsys, "plain.edgecl", "--flat", "line.npz")
    assert summary["statuses"]["pass"] == 3
    (note,) = summary["notes"]
    assert note.startswith("frames are corrected with the flat-field of drawn per column")
    assert note.endswith("; in training, images were corrected with none")
    summary, _ = judged(capsys, "corrected.edgecl", "--flat", "none")
    assert middle(summary) == 3
    (note,) = summary["notes"]
    assert note.startswith("frames are not corrected with a flat-field; in training")
    assert judged(capsys, "corrected.edgecl", "--flat", "line.npz")[0]["notes"] == []
    write_flat_of(Path("other.npz"), dark=12, bright=72)
    summary, _ = judged(capsys, "corrected.edgecl", "--flat", "other.npz")
    assert "in training, images were corrected with another one" in summary["notes"][0]


def test_the_key_belongs_to_the_files_folder_and_none_to_nobody(workplace, capsys):
    Path("box").mkdir()
    shutil.copy("line.npz", "box/line.npz")
    Path("box/line.toml").write_text('[camera]\nflat = "line.npz"\n')
    summary, _ = judged(capsys, "plain.edgecl", "--config", "box/line.toml")
    assert summary["statuses"]["pass"] == 3
    assert f'flat = "{workplace}/box/line.npz"' in Path("o0/config.toml").read_text()
    Path("box/line.toml").write_text('[camera]\nflat = "none"\n')
    judged(capsys, "corrected.edgecl", "--config", "box/line.toml")
    assert 'flat = "none"' in Path("o1/config.toml").read_text()
    Path("box/line.toml").write_text('[camera]\nflat = "gone.npz"\n')
    line = refused(capsys, "plain.edgecl", "--config", "box/line.toml")
    assert "box/line.toml:2: camera.flat: the flat-field" in line
    assert "No such file" in line


def test_a_lone_model_file_looks_beside_itself_and_asks_else(workplace, capsys):
    summary, _ = judged(capsys, "corrected.edgecl/model.fp32.onnx")
    assert summary["statuses"]["pass"] == 3
    shutil.copy("corrected.edgecl/model.fp32.onnx", "lone.onnx")
    line = refused(capsys, "lone.onnx")
    assert "which does not lie beside it" in line
    assert "--flat" in line
    summary, _ = judged(capsys, "lone.onnx", "--flat", "line.npz")
    assert summary["statuses"]["pass"] == 3
    assert summary["notes"] == []


def test_a_flat_field_that_is_gone_from_its_bundle_is_one_line(workplace, capsys):
    data = Path("corrected.edgecl/flat.npz").read_bytes()
    Path("corrected.edgecl/flat.npz").write_bytes(data[:-40])
    assert "was changed after export" in refused(capsys, "corrected.edgecl")
    Path("corrected.edgecl/flat.npz").unlink()
    assert "flat.npz is missing from the bundle" in refused(capsys, "corrected.edgecl")


def test_one_of_another_camera_is_one_line(workplace, capsys):
    stored_flat(Path("wide.npz"), size=(40, 100))
    line = refused(capsys, "plain.edgecl", "--flat", "wide.npz")
    assert "none of 3 frames could be judged" in line
    assert "90 wide and 42 high, but the flat-field is 100 wide" in line
    stored_flat(Path("deep.npz"), size=(40, 90), bits=12)
    assert "but the flat-field is uint16 with 12" in refused(
        capsys, "plain.edgecl", "--flat", "deep.npz"
    )
    line = refused(capsys, "plain.edgecl", "--flat", "deep.npz", "--bits", "10")
    assert "the flat-field is of 12 bits, but --bits of 10" in line
    Path("short.npz").write_bytes(Path("line.npz").read_bytes()[:300])
    line = refused(capsys, "plain.edgecl", "--flat", "short.npz")
    assert "short.npz is not a whole flat-field" in line


def test_a_deep_camera_needs_no_bits_beside_its_flat_field(workplace, capsys, make_bundle):
    flat = drawn_flat(size=(40, 90), bits=12)
    stored_flat(Path("deep.npz"), size=(40, 90), bits=12)
    shutil.rmtree("parts")
    Path("parts").mkdir()
    level = (flat.dark + 0.3 * (flat.bright - flat.dark)).astype(np.uint16)
    cv2.imwrite("parts/0.png", np.repeat(level, 40, axis=0))
    summary, _ = judged(capsys, "plain.edgecl", "--flat", "deep.npz")
    assert summary["judged"] == 1


def test_bench_draws_frames_of_the_flat_fields_depth(workplace, capsys, make_bundle):
    make_bundle(
        Path("deep.edgecl"), flat=write_flat_of(Path("d.npz"), dark=99, bright=900, bits=12)
    )
    short = ["--frames", "1", "--warmup", "0", "--engine", "onnxruntime", "--out", "b"]
    assert run(["bench", "deep.edgecl", *short, "--frame-size", "60x90"]) == 0
    capsys.readouterr()
    assert run(["bench", "deep.edgecl", *short, "--frame-size", "60x100"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "100 wide and 60 high, but the flat-field is 90 wide" in line
