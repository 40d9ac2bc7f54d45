"""`edgecl bench`: what it writes, prints and returns."""

from __future__ import annotations

import json

import pytest

from edgecl.cli.shell import run as edgecl
from runtime.artifact.bundle import MANIFEST, manifest_digest
from runtime.artifact.tiling import Tiling

FEW = ["--frames", "6", "--warmup", "1", "--frame-size", "40x60", "--engine", "onnxruntime"]


def test_it_writes_the_report_and_the_page(make_bundle, tmp_path, capfd):
    bundle = make_bundle(precisions=("fp32", "int8"))
    out = tmp_path / "out"
    assert edgecl(["bench", str(bundle), "--out", str(out), *FEW]) == 0
    captured = capfd.readouterr()
    report = json.loads((out / "latency.json").read_text())
    assert report["schema"] == 2
    assert report["scenario"]["kind"] == "single-stream"
    assert len(report["sides"][0]["raw_ns"]["total"]) == 6
    assert (out / "latency.html").is_file()
    assert sorted(path.name for path in out.iterdir()) == ["latency.html", "latency.json"]
    assert captured.out.strip().endswith(str(out / "latency.html"))
    assert "int8" in captured.out
    assert "too few for p99" in captured.out


def test_the_tiles_of_a_frame_are_named_in_table_and_page(make_bundle, tmp_path, capfd):
    out = tmp_path / "out"
    bundle = make_bundle(tiling=Tiling((20, 20)))
    assert edgecl(["bench", str(bundle), "--out", str(out), *FEW]) == 0
    assert "tiny: 6 tiles of 20x20 per frame" in capfd.readouterr().out
    assert "tiny: 6 tiles of 20x20 per frame" in (out / "latency.html").read_text()


def test_a_bundle_whose_accuracy_nobody_measured(make_bundle, tmp_path, capfd):
    bundle = make_bundle(precisions=("fp32", "int8"))
    manifest = json.loads((bundle / MANIFEST).read_text())
    for entry in manifest["precisions"].values():
        entry |= {"accuracy": float("nan"), "test_accuracy": None}
    manifest["digest"] = manifest_digest(manifest)
    (bundle / MANIFEST).write_text(json.dumps(manifest))
    out = tmp_path / "out"
    asked = ["bench", str(bundle), "--out", str(out), *FEW, "--budget", "total=1s"]
    asked += ["--threads", "1"]
    assert edgecl(asked) == 1  # for want of frames alone
    printed = capfd.readouterr().out
    assert "nan" not in printed.lower()
    assert "less accurate" not in printed
    sides = json.loads((out / "latency.json").read_text())["sides"]
    assert [side["accuracy"] for side in sides] == [{"validation": None, "test": None}] * 2
    page = (out / "latency.html").read_text()
    assert "No accuracy is known" in page
    assert "the best of all sides" not in page
    assert edgecl([*asked, "--markdown"]) == 1
    markdown = capfd.readouterr().out
    assert "nan" not in markdown.lower()
    assert "**Budget**: no side is shown to keep total 1000 ms" in markdown


def test_json_is_one_object_on_standard_output(make_bundle, tmp_path, capfd):
    assert edgecl(["bench", str(make_bundle()), "--out", str(tmp_path / "o"), *FEW, "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["sides"][0]["steps"]["total"]["p50_ms"] > 0
    assert report["sides"][0]["steps"]["total"]["p99_ms"] is None
    assert report["valid"] is False


def test_invalid_fails_only_where_that_was_asked_for(make_bundle, tmp_path):
    arguments = ["bench", str(make_bundle()), "--out", str(tmp_path / "o"), *FEW]
    assert edgecl(arguments) == 0
    assert edgecl([*arguments, "--strict"]) == 1


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--precision", "int4"], "has no int4"),
        (["--engine", "warp"], "unknown engine 'warp'"),
        (["--frame-size", "40"], "HEIGHTxWIDTH"),
        (["--frames", "0"], "0 is not in the range"),
    ],
)
def test_wrong_options_are_named(make_bundle, tmp_path, capfd, options, problem):
    out = tmp_path / "out"
    assert edgecl(["bench", str(make_bundle()), "--out", str(out), *options]) == 2
    error = capfd.readouterr().err
    assert problem in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_a_folder_that_cannot_be_written_ends_in_one_line(make_bundle, tmp_path, capfd):
    (tmp_path / "file").write_text("")
    assert edgecl(["bench", str(make_bundle()), "--out", str(tmp_path / "file" / "o"), *FEW]) == 2
    assert "cannot write" in capfd.readouterr().err
