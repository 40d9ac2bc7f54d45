"""What a run saw of its images is in the bundle, and is what the line sees."""

from __future__ import annotations

import json
from dataclasses import replace

from edgecl.cli.shell import run as edgecl
from edgecl.learning.runner import train_run
from runtime.artifact.bundle import load_bundle
from runtime.artifact.roi import Roi
from tests.edgecl.conftest import fill


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
    answers = {
        line["name"]: line["label"]
        for line in map(json.loads, (tmp_path / "o" / "verdicts.jsonl").read_text().splitlines())
    }
    lines = (run / "predictions.csv").read_text().splitlines()[1:]
    trained = {line.split(",")[0]: line.split(",")[3] for line in lines}
    assert {file: answers[file] for file in trained} == trained
    more = fill(tmp_path / "more", ("bars", "blob"), 4, seed=5)
    capfd.readouterr()
    picked = ["pick", str(more), "--run", str(run), "--count", "2", "--json"]
    assert edgecl([*picked, "--out", str(tmp_path / "picked")]) == 0
