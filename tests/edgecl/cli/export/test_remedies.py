"""`edgecl export --int8` tries before it refuses: what is saved, what is not, and what is said."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
import pytest

from calibration.record import read_record
from edgecl.cli.shell import run as edgecl
from export.gate.decision import verdict
from export.qdq.cpu import quantize_for_cpu
from export.qdq.tensorrt import quantize_for_tensorrt
from export.stages import int8_graphs, proving
from export.stages.remedies import seeking
from export.stages.remedies.attempts import Attempts
from export.stages.remedies.deadline import Deadline, OutOfTimeError
from runtime.artifact.bundle import load_bundle

pytestmark = pytest.mark.usefixtures("graphs_made_once")


def printed(capfd):
    """What was printed, in one line: the terminal of a test is narrow."""
    return " ".join(capfd.readouterr().out.split())


def export(run, out, *options):
    """Export INT8 as JSON on standard output; the exit code."""
    return edgecl(["export", str(run), "--int8", "--json", "--out", str(out), *map(str, options)])


@pytest.fixture
def ruined(monkeypatch):
    """Every quantised weight for the CPU is nought, whatever the ranges: no calibration helps."""

    def blank(*arguments, **options) -> onnx.ModelProto:
        model = quantize_for_cpu(*arguments, **options)
        for tensor in model.graph.initializer:
            if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) > 1:
                nought = np.zeros(tuple(tensor.dims), np.int8)
                tensor.CopyFrom(onnx.numpy_helper.from_array(nought, tensor.name))
        return model

    monkeypatch.setattr(int8_graphs, "quantize_for_cpu", blank)


@pytest.fixture
def kept_bundle(make_bundle, tmp_path):
    """An earlier bundle where the next one goes, and the bytes of its files."""
    out = make_bundle(tmp_path / "kept.edgecl")
    return out, {path.name: path.read_bytes() for path in out.iterdir()}


def test_int8_that_is_truly_bad_is_refused_after_every_remedy(
    trained_run, ruined, tmp_path, capfd, check_page
):
    out = tmp_path / "b.edgecl"
    assert export(trained_run, out, "--calibration", "minmax", "--calibration-images", 20) == 1
    captured = capfd.readouterr()
    document = json.loads(captured.out)
    assert "int8" in document["refused"]
    remedies = document["remedies"]
    assert [each["remedy"] for each in remedies] == [
        "mse calibration",
        "percentile calibration",
        "entropy calibration",
        "80 calibration images instead of 20",
        "layers in floating point",
    ]
    assert {each["outcome"] for each in remedies} == {"fails"}
    assert all("lost" in each["result"] and each["seconds"] >= 0 for each in remedies)
    assert "5 remedies in" in captured.err
    assert "did not save it" in captured.err
    # What shipped at first ships as it was, with the remedies on record.
    loaded = load_bundle(out)
    assert list(loaded.precisions) == ["fp32"]
    assert "int8" in loaded.tensorrt
    record = read_record(out / "calibration.json")
    assert (record.method, len(record.files)) == ("minmax", 20)
    assert [each.remedy for each in loaded.manifest.gate.remedies] == [
        each["remedy"] for each in remedies
    ]
    text = " ".join(check_page(out / "report.html").text.split())
    assert "INT8 was refused at first" in text
    assert "80 calibration images instead of 20" in text
    assert edgecl(["inspect", str(out)]) == 0
    assert "remedy at export: mse calibration" in printed(capfd)


def test_a_remedy_saves_int8_and_the_bundle_says_how(spoilt, tmp_path, capfd, monkeypatch):
    out = tmp_path / "b.edgecl"
    # Only layers can help: other calibrations are as bad as this one.
    monkeypatch.setattr(seeking, "METHODS", ("minmax",))
    assert export(spoilt, out, "--calibration", "minmax") == 0
    document = json.loads(capfd.readouterr().out)
    assert not document["refused"]
    (saving,) = document["remedies"]
    assert saving["remedy"].startswith("layers in floating point: ")
    assert saving["outcome"] == "ships"
    kept = saving["remedy"].removeprefix("layers in floating point: ").split(", ")
    assert document["kept"] == kept
    assert "backbone.encoder.dense" in kept
    assert {row["layer"] for row in document["sensitivity"] if row["kept"]} == set(kept)
    notes = [note for note in document["notes"] if "ships after a remedy" in note]
    assert any(note.startswith("int8-tensorrt ships after a remedy (layers in") for note in notes)
    assert all("at first it did not: " in note for note in notes)
    loaded = load_bundle(out)
    assert loaded.manifest.calibration.kept == tuple(kept)
    assert loaded.manifest.gate.remedies[0].outcome == "ships"
    # The test part was looked at for what ships, and for nothing else.
    assert loaded.precisions["int8"].test_accuracy is not None


def test_another_calibration_saves_int8_and_is_the_one_on_record(
    trained_run, tmp_path, capfd, monkeypatch
):
    first = []

    def clipped(model: onnx.ModelProto, ranges, **options: Any) -> onnx.ModelProto:
        """The first ranges are a hundredth of what they should be."""
        first.append(ranges)
        if ranges == first[0]:
            ranges = {name: (low / 100, high / 100) for name, (low, high) in ranges.items()}
        return quantize_for_tensorrt(model, ranges, **options)

    monkeypatch.setattr(int8_graphs, "quantize_for_tensorrt", clipped)
    out = tmp_path / "b.edgecl"
    options = ("--calibration", "minmax", "--max-drop", 10, "--max-escapes", 20)
    assert export(trained_run, out, *options) == 0
    document = json.loads(capfd.readouterr().out)
    (saving,) = document["remedies"]
    assert (saving["remedy"], saving["outcome"]) == ("mse calibration", "ships")
    assert read_record(out / "calibration.json").method == "mse"
    assert load_bundle(out).manifest.calibration.algorithm == "mse"


def test_no_time_no_remedy(trained_run, ruined, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(Attempts, "ships", lambda *_: pytest.fail("a remedy was tried"))
    out = tmp_path / "b.edgecl"
    assert export(trained_run, out, "--calibration", "minmax", "--remedy-time", 0) == 1
    captured = capfd.readouterr()
    assert json.loads(captured.out)["remedies"] == []
    assert "--keep-fp16 auto" in captured.err
    assert load_bundle(out).manifest.gate.remedies == ()


def test_when_the_time_is_over_the_error_names_the_option(
    trained_run, ruined, tmp_path, capfd, monkeypatch
):
    def over(*_: object) -> None:
        raise OutOfTimeError

    monkeypatch.setattr(Deadline, "require", over)
    out = tmp_path / "b.edgecl"
    assert export(trained_run, out, "--calibration", "minmax", "--remedy-time", 1) == 1
    captured = capfd.readouterr()
    assert {each["outcome"] for each in json.loads(captured.out)["remedies"]} == {"no time"}
    assert "give them more time with --remedy-time" in captured.err


def test_ctrl_c_during_a_remedy_leaves_the_old_bundle(
    trained_run, ruined, kept_bundle, monkeypatch
):
    out, before = kept_bundle

    def interrupt(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Attempts, "ships", interrupt)
    assert export(trained_run, out, "--calibration", "minmax") == 130
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert [path.name for path in out.parent.iterdir() if path != out] == []


def test_what_ships_unproven_is_marked_wherever_it_is_shown(
    trained_run, tmp_path, capfd, monkeypatch, check_page
):
    def doubtful(comparison, limits):
        found = verdict(comparison, limits)
        return found if comparison.max_abs_diff < 1e-4 else type(found)(unproven="2 of 269 lost")

    monkeypatch.setattr(proving, "verdict", doubtful)
    out = tmp_path / "b.edgecl"
    options = ["export", str(trained_run), "--int8", "--calibration", "minmax", "--out", str(out)]
    assert edgecl(options) == 0
    captured = capfd.readouterr()
    (row,) = (line for line in captured.out.splitlines() if line.startswith("int8-tensorrt "))
    assert row.split()[-1] == "unproven"
    assert "note: int8-tensorrt is unproven: 2 of 269 lost" in captured.err
    gate = load_bundle(out).manifest.gate
    assert gate.unproven["int8-tensorrt"] == "2 of 269 lost"
    assert gate.remedies == ()
    page = " ".join(check_page(out / "report.html").text.split())
    assert page.count("int8-tensorrt is unproven: 2 of 269 lost.") == 1
    assert edgecl(["inspect", str(out)]) == 0
    assert "unproven at export: int8-tensorrt (2 of 269 lost)" in printed(capfd)


def test_the_strict_gate_is_on_record(trained_run, tmp_path, capfd):
    out = tmp_path / "b.edgecl"
    assert edgecl(["export", str(trained_run), "--strict-gate", "--out", str(out)]) == 0
    assert load_bundle(out).manifest.gate.strict
    assert edgecl(["inspect", str(out)]) == 0
    assert "1% escapes, by count, on 18 validation images" in printed(capfd)
