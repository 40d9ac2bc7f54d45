"""What the options of calibration change in the bundle, its page, and what is printed."""

from __future__ import annotations

import json

import cv2
import numpy as np
import onnx
import pytest

from calibration.layers import weighted_layers
from calibration.ranges import METHODS
from calibration.record import read_record
from calibration.selection import METHODS as SELECTIONS
from edgecl.cli.export import choices as export_choices
from edgecl.cli.shell import run as edgecl
from runtime.artifact.bundle import load_bundle
from runtime.files.document import plain
from tests.edgecl.conftest import fill

pytestmark = pytest.mark.usefixtures("graphs_made_once")

ALLOWING = ("--max-drop", "100", "--max-escapes", "100")


def export(run, out, *options):
    """Export INT8 as JSON on standard output; the exit code."""
    return edgecl(["export", str(run), "--int8", "--json", "--out", str(out), *map(str, options)])


def printed(capfd):
    return json.loads(capfd.readouterr().out)


def mistake(capfd, *arguments):
    assert edgecl([str(argument) for argument in arguments]) == 2
    (line,) = (line for line in capfd.readouterr().err.splitlines() if line.startswith("edgecl: "))
    return line


def test_the_choices_are_those_that_calibration_knows():
    assert set(export_choices.ALGORITHMS) == {"auto", *METHODS}
    assert set(export_choices.SELECTIONS) == set(SELECTIONS)


@pytest.mark.parametrize("selection", SELECTIONS)
def test_a_selection_of_the_fewest_and_the_algorithm_that_was_named_are_recorded(
    trained_run, tmp_path, capfd, selection
):
    names = []
    # The seed repeats each method in tests of its own; here is one through the command.
    for turn in range(2 if selection == "random" else 1):
        out = tmp_path / f"{turn}.edgecl"
        options = ("--calibration", "minmax", "--calibration-images", 8, *ALLOWING)
        assert export(trained_run, out, "--calibration-choice", selection, *options) == 0
        record = read_record(out / "calibration.json")
        assert record.selection == selection
        assert len(record.files) == len(set(record.hashes)) == 8
        names.append(record.files)
        document = printed(capfd)
        assert any("8 calibration images are few" in note for note in document["notes"])
        assert "algorithms" not in document  # none is compared where one was named
        assert record.method == load_bundle(out).manifest.calibration.algorithm == "minmax"
        assert "minmax" in (out / "report.html").read_text()
    assert names[0] == names[-1]
    if selection == "stratified":
        kinds = [name.split("/")[0] for name in names[0]]
        assert sorted(kinds.count(kind) for kind in set(kinds)) == [2, 3, 3]


def test_all_that_can_be_measured_stands_in_the_manifest_the_page_and_the_json(
    trained_run, tmp_path, capfd, check_page
):
    out = tmp_path / "b.edgecl"
    options = ("--sensitivity", "--calibration-curve", "--keep-fp16", "head", *ALLOWING)
    assert export(trained_run, out, *options) == 0
    document = printed(capfd)
    calibration = plain(load_bundle(out).manifest.calibration)
    for name in ("algorithms", "sensitivity", "curve", "kept"):
        assert json.loads(json.dumps(calibration[name])) == document[name]
    assert {row["algorithm"] for row in document["algorithms"]} == set(METHODS)
    assert [row["chosen"] for row in document["algorithms"]].count(True) == 1
    layers = [layer.name for layer in weighted_layers(onnx.load(out / "model.fp32.onnx"))]
    assert {row["layer"] for row in document["sensitivity"]} == set(layers)
    assert [row["layer"] for row in document["sensitivity"] if row["kept"]] == ["head"]
    assert [row["images"] for row in document["curve"]][:3] == [8, 16, 32]
    page = check_page(out / "report.html")
    for text in ("head", "minmax"):
        assert text in page.text


def test_a_kept_layer_is_float_in_both_forms(trained_run, tmp_path, capfd):
    out = tmp_path / "b.edgecl"
    options = ("--calibration", "minmax", "--keep-fp16", "backbone.encoder.dense", *ALLOWING)
    assert export(trained_run, out, *options) == 0
    for name, kind in (
        ("int8", onnx.TensorProto.FLOAT),
        ("int8.tensorrt", onnx.TensorProto.FLOAT16),
    ):
        model = onnx.load(out / f"model.{name}.onnx")
        types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
        (dense,) = (
            node
            for node in model.graph.node
            if node.op_type in ("Gemm", "MatMul") and "dense" in node.input[1]
        )
        assert types[dense.input[1]] == kind
        made = {value: node.op_type for node in model.graph.node for value in node.output}
        assert made.get(dense.input[0]) != "DequantizeLinear" or name == "int8"
    assert printed(capfd)["kept"] == ["backbone.encoder.dense"]


def test_an_unknown_layer_is_named_with_those_there_are(trained_run, tmp_path, capfd):
    out = tmp_path / "b.edgecl"
    line = mistake(capfd, "export", trained_run, "--int8", "--keep-fp16", "tail", "--out", out)
    assert "no layer 'tail'" in line
    assert "backbone.encoder.dense" in line
    assert not out.exists()


def test_a_layer_that_suffers_is_found_and_left_in_float(spoilt, tmp_path, capfd):
    out = tmp_path / "b.edgecl"
    # That it suffers, a remedy of its own shows in test_remedies.py.
    assert export(spoilt, out, "--calibration", "minmax", "--keep-fp16", "auto") == 0
    document = printed(capfd)
    # On the CPU the layer before it rounds what it gives, so that one has to stay too.
    both = {"backbone.encoder.dense", "backbone.encoder.features.6"}
    assert {"backbone.encoder.dense"} <= set(document["kept"]) <= both
    assert document["sensitivity"][0]["layer"] in both
    assert set(document["precisions"]) >= {"fp32", "int8", "int8-tensorrt"}
    assert load_bundle(out).precisions["int8"].agreement == 1


@pytest.mark.parametrize("count", [1, 7])
def test_too_few_images_are_refused(trained_run, tmp_path, capfd, count):
    out = tmp_path / "b.edgecl"
    options = ("--int8", "--calibration", "minmax", "--calibration-images", str(count), *ALLOWING)
    assert edgecl(["export", str(trained_run), "--out", str(out), *options]) == 2
    assert not out.exists()
    assert "too few" in capfd.readouterr().err


@pytest.fixture
def line_images(tmp_path):
    """Images of the line, in no folders, with no labels."""
    folder = fill(tmp_path / "made", ("bars", "blob", "posts"), 12, seed=5)
    flat = tmp_path / "line"
    flat.mkdir()
    for number, path in enumerate(sorted(folder.rglob("*.png"))):
        path.rename(flat / f"{number:04}.png")
    return flat


def test_images_of_the_line_calibrate_without_labels_and_without_a_cache(
    trained_run, line_images, tmp_path, capfd, monkeypatch
):
    out = tmp_path / "b.edgecl"
    # A cache that cannot be written costs time only.
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (line_images / "broken.png").write_bytes(b"no image")
    options = ("--calibration", "minmax", "--calibration-data", line_images, *ALLOWING)
    assert export(trained_run, out, *options) == 0
    assert len(read_record(out / "calibration.json").files) == 36
    assert any("broken.png" in note for note in printed(capfd)["notes"])


def test_a_copy_of_a_test_image_among_them_is_refused_by_name(
    trained_run, line_images, class_folders, tmp_path, capfd
):
    predictions = (trained_run / "predictions.csv").read_text().splitlines()
    tested = predictions[1].split(",")[0]
    image = cv2.imread(str(class_folders / tested), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(line_images / "again.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 90])
    out = tmp_path / "b.edgecl"
    options = ("--int8", "--calibration-data", line_images, "--out", out)
    line = mistake(capfd, "export", trained_run, *options)
    assert "copies of validation or test images" in line
    assert "again.jpg" in line
    assert not out.exists()


@pytest.mark.parametrize("what", ["empty", "gone", "file", "text"])
def test_a_folder_without_images_is_refused(trained_run, tmp_path, capfd, what):
    folder = tmp_path / "images"
    if what == "file":
        folder.write_text("")
    elif what != "gone":
        folder.mkdir()
    if what == "text":
        (folder / "a.png").write_text("not an image")
    options = ("--int8", "--calibration-data", folder, "--out", tmp_path / "b")
    assert "images" in mistake(capfd, "export", trained_run, *options)


def test_what_was_observed_is_kept_and_a_damaged_cache_made_anew(
    trained_run, tmp_path, monkeypatch
):
    cache = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    bundles = []
    for turn in range(2):
        out = tmp_path / f"{turn}.edgecl"
        assert export(trained_run, out, "--calibration", "minmax", *ALLOWING) == 0
        bundles.append((out / "model.int8.onnx").read_bytes())
        (kept,) = (path for path in cache.rglob("*") if path.is_file())
        if not turn:
            kept.write_bytes(kept.read_bytes()[:100])
    assert bundles[0] == bundles[1]
    np.load(kept, allow_pickle=False).close()
