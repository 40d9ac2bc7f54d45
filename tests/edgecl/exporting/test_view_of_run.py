"""What a run saw of its images is in the bundle, and is what the line sees."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgecl.cli.shell import run as edgecl
from edgecl.learning.run.run_directory import read_config
from edgecl.learning.runner import train_run
from runtime.artifact.bundle import load_bundle
from runtime.artifact.roi import Roi
from tests.edgecl.conftest import fill
from tests.runtime.image.flat_fields import stored_flat

pytestmark = pytest.mark.usefixtures("graphs_made_once")


def test_a_region_goes_from_training_to_the_verdict(tiny_config, class_folders, tmp_path, capfd):
    run = tmp_path / "run"
    config = replace(tiny_config, method="none", epochs=3, roi="2,4,36,32")
    train_run(config, run, report=lambda *_: None)
    recorded = json.loads((run / "config.json").read_text())
    assert recorded["choices"]["roi"] == "2,4,36,32"
    bundle = tmp_path / "b.edgecl"
    assert edgecl(["export", str(run), "--out", str(bundle)]) == 0
    assert load_bundle(bundle).contract.input.roi == Roi(2, 4, 36, 32)
    capfd.readouterr()
    assert edgecl(["inspect", str(bundle)]) == 0
    assert "frames are cut to the ROI 2,4,36,32" in capfd.readouterr().out
    model = ["--model", str(bundle), "--engine", "onnxruntime", "--health", "off"]
    out = ["--camera", str(class_folders), "--out", str(tmp_path / "o"), "--json"]
    assert edgecl(["run", *model, *out]) == 0
    summary = json.loads(capfd.readouterr().out)
    assert (summary["roi"], summary["judged"]) == ("2,4,36,32", 120)
    assert answers_on_the_line(tmp_path / "o").items() >= answers_in_training(run).items()
    more = fill(tmp_path / "more", ("bars", "blob"), 4, seed=5)
    capfd.readouterr()
    picked = ["pick", str(more), "--run", str(run), "--count", "2", "--json"]
    assert edgecl([*picked, "--out", str(tmp_path / "picked")]) == 0


def test_a_flat_field_goes_from_training_to_the_verdict(
    tiny_config, class_folders, tmp_path, capfd
):
    run, file = tmp_path / "run", tmp_path / "line.npz"
    flat = stored_flat(file, size=(40, 40))
    config = replace(tiny_config, method="none", epochs=3, flat=str(file))
    train_run(config, run, report=lambda *_: None)
    assert read_config(run).flat_digest == flat.digest
    file.unlink()  # the run has its own
    before = (run / "result.json").read_bytes()
    (run / "result.json").unlink()
    train_run(read_config(run).choices, run, report=lambda *_: None)
    assert json.loads((run / "result.json").read_text())["nll"] == json.loads(before)["nll"]
    bundle = tmp_path / "b.edgecl"
    assert edgecl(["export", str(run), "--out", str(bundle)]) == 0
    found = load_bundle(bundle)
    assert found.contract.input.flat == flat.digest
    assert found.manifest.files["flat.npz"].sha256 == flat.digest
    capfd.readouterr()
    model = ["--model", str(bundle), "--engine", "onnxruntime", "--health", "off"]
    out = ["--camera", str(class_folders), "--out", str(tmp_path / "o"), "--json"]
    assert edgecl(["run", *model, *out]) == 0
    summary = json.loads(capfd.readouterr().out)
    assert summary["flat"] == flat.digest
    assert answers_on_the_line(tmp_path / "o").items() >= answers_in_training(run).items()
    stored_flat(run / "flat.npz", size=(40, 40), seed=1)
    assert edgecl(["export", str(run), "--out", str(tmp_path / "c")]) == 2
    assert "flat.npz was changed since the training began" in capfd.readouterr().err
    (run / "flat.npz").unlink()
    assert edgecl(["export", str(run), "--out", str(tmp_path / "c")]) == 2
    assert "flat.npz cannot be read" in capfd.readouterr().err


def answers_on_the_line(stream: Path) -> dict[str, str]:
    lines = map(json.loads, (stream / "verdicts.jsonl").read_text().splitlines())
    return {line["name"]: line["label"] for line in lines}


def answers_in_training(run: Path) -> dict[str, str]:
    rows = (line.split(",") for line in (run / "predictions.csv").read_text().splitlines()[1:])
    return {row[0]: row[3] for row in rows}
