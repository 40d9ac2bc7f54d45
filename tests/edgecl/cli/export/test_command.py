"""`edgecl export` from a real run: the bundle, the gate, and what a user gets wrong."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import onnx
import pytest

from calibration.record import read_record
from edgecl.cli.shell import run as edgecl
from export.bundle import manifest
from export.qdq.cpu import quantize_for_cpu
from export.stages import int8_graphs
from runtime.artifact.bundle import load_bundle
from runtime.errors import InputError
from runtime.files.document import to_text
from runtime.session import open_session
from tests.made_once import spared_exports

pytestmark = pytest.mark.usefixtures("graphs_made_once")


@pytest.fixture(scope="session")
def bundle(trained_run, made_once):
    """One export of every precision; `test_engines.py` has one that spares NVIDIA's builder not."""

    def export(out):
        options = ["--fp16", "--int8", "--calibration", "minmax", "--max-drop", "20"]
        with spared_exports(made_once):
            assert edgecl(["export", str(trained_run), *options, "--out", str(out)]) == 0

    return made_once("bundles/tiny.edgecl", export)


def one_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith("edgecl: ")]
    assert len(lines) == 1, text
    return lines[0]


def test_the_bundle_holds_every_precision_and_its_figures(bundle, trained_run):
    loaded = load_bundle(bundle)
    assert list(loaded.precisions) == ["fp32", "fp16", "int8"]
    result = json.loads((trained_run / "result.json").read_text())
    fp32 = loaded.precisions["fp32"]
    assert fp32.test_accuracy == pytest.approx(result["accuracy"])
    assert fp32.max_abs_diff < 1e-4
    assert fp32.agreement == 1.0
    assert loaded.precisions["fp16"].max_abs_diff < 5e-3 * 4
    assert loaded.precisions["int8"].bytes < fp32.bytes / 2
    assert loaded.contract.labels == ("bars", "blob", "posts")
    assert loaded.manifest.origin.encoder == "convnet"


def test_manifest_and_calibration_say_again_what_the_files_say(bundle):
    for path, document in (
        (bundle / "manifest.json", load_bundle(bundle).manifest),
        (bundle / "calibration.json", read_record(bundle / "calibration.json")),
    ):
        assert json.loads(to_text(document)) == json.loads(path.read_text(encoding="utf-8"))


def test_calibration_images_are_listed_with_hashes_and_none_is_held_out(bundle, tiny_config):
    from edgecl.learning.run.preparation import prepare

    record = json.loads((bundle / "calibration.json").read_text())
    prepared = prepare(tiny_config, lambda *_: None)
    train = prepared.dataset.take(prepared.split.train)
    hashes = dict(zip(train.files, train.hashes, strict=True))
    assert len(record["images"]) == 84  # the whole train part: fewer than the 128 asked for
    for image in record["images"]:
        assert hashes[image["file"]] == image["sha256"]
    assert record["ranges"]


def test_every_precision_runs_from_the_bundle_and_alone(bundle):
    image = np.zeros((1, 1, 32, 32), np.uint8)
    for precision in ("fp32", "fp16", "int8"):
        with open_session(bundle, precision) as session:
            from_bundle = session.infer(image).probabilities
        with open_session(bundle / f"model.{precision}.onnx", engine=session.engine) as alone:
            assert alone.precision == precision
            assert alone.contract.labels == ("bars", "blob", "posts")
            np.testing.assert_allclose(alone.infer(image).probabilities, from_bundle, atol=1e-6)


def test_auto_takes_what_is_there(bundle):
    with open_session(bundle) as session:
        assert session.precision in ("fp32", "fp16", "int8")
        assert session.infer(np.zeros((3, 1, 32, 32), np.uint8)).probabilities.shape == (3, 3)


def ruin(model: onnx.ModelProto) -> onnx.ModelProto:
    """Blank every quantised filter: answers like a coin, as a bad calibration would give."""
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 4:
            blank = np.zeros(tuple(tensor.dims), np.int8)
            tensor.CopyFrom(onnx.numpy_helper.from_array(blank, tensor.name))
    return model


def test_a_precision_that_lost_accuracy_is_refused(shufflenet_run, tmp_path, monkeypatch, capfd):
    """In both forms: ShuffleNet has a graph for each engine, ConvNet one for both."""
    monkeypatch.setattr(
        int8_graphs, "quantize_for_cpu", lambda *a, **k: ruin(quantize_for_cpu(*a, **k))
    )
    out = tmp_path / "refused.edgecl"
    options = ["--int8", "--calibration", "minmax", "--remedy-time", "0", "--out", str(out)]
    assert edgecl(["export", str(shufflenet_run), *options]) == 1
    captured = capfd.readouterr()
    assert "int8, int8-openvino not shipped: int8: accuracy fell" in one_line(captured.err)
    assert "REFUSED" in captured.out
    # TensorRT's form is another file, with a proof of its own.
    assert sorted(path.name for path in out.iterdir()) == [
        "calibration.json",
        "golden.npz",
        "manifest.json",
        "model.fp32.onnx",
        "model.int8.tensorrt.onnx",
        "report.html",
    ]
    loaded = load_bundle(out)
    assert "accuracy fell" in loaded.manifest.refused["int8"].reason
    with pytest.raises(InputError, match="refused at export"):
        loaded.onnx_path("int8")


def test_the_old_bundle_stays_whole_when_an_export_breaks_off(
    trained_run, bundle, tmp_path, monkeypatch
):
    out = tmp_path / "kept.edgecl"
    shutil.copytree(bundle, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def interrupt(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(manifest, "manifest_digest", interrupt)
    assert edgecl(["export", str(trained_run), "--out", str(out)]) == 130
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["kept.edgecl"]


def test_a_full_disk_leaves_nothing_behind(trained_run, tmp_path, monkeypatch, capfd):
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(manifest, "manifest_digest", full)
    assert edgecl(["export", str(trained_run), "--out", str(tmp_path / "b.edgecl")]) == 3
    assert "No space left on device" in one_line(capfd.readouterr().err)
    assert not list(tmp_path.iterdir())


def test_no_run_to_export(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert edgecl(["export"]) == 2
    assert "edgecl train" in one_line(capfd.readouterr().err)


def test_a_folder_that_is_no_run(tmp_path, capfd):
    assert edgecl(["export", str(tmp_path)]) == 2
    assert "is not a run" in one_line(capfd.readouterr().err)


def test_an_unfinished_run_is_not_exported(trained_run, tmp_path, capfd):
    run = tmp_path / "run"
    shutil.copytree(trained_run, run)
    (run / "result.json").unlink()
    assert edgecl(["export", str(run)]) == 2
    assert "--resume" in one_line(capfd.readouterr().err)


def test_damaged_weights_are_named(trained_run, tmp_path, capfd):
    run = tmp_path / "run"
    shutil.copytree(trained_run, run)
    weights = run / "encoder.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert edgecl(["export", str(run)]) == 2
    assert "encoder.safetensors" in one_line(capfd.readouterr().err)


@pytest.fixture
def moved(class_folders, tmp_path):
    folder = tmp_path / "moved"
    shutil.copytree(class_folders, folder)
    return folder


def test_the_same_images_elsewhere_will_do(trained_run, moved, tmp_path):
    out = tmp_path / "b.edgecl"
    assert edgecl(["export", str(trained_run), "--data", str(moved), "--out", str(out)]) == 0


def test_an_unknown_class_folder_is_named(trained_run, moved, tmp_path, capfd):
    for number in range(5):
        image = np.full((9, 9), number, np.uint8)
        (moved / "mystery").mkdir(exist_ok=True)
        cv2.imwrite(str(moved / "mystery" / f"{number}.png"), image)
    command = ["export", str(trained_run), "--data", str(moved), "--out", str(tmp_path / "b")]
    assert edgecl(command) == 2
    assert "the class mystery" in one_line(capfd.readouterr().err)


def test_changed_images_are_refused(trained_run, moved, tmp_path, capfd):
    path = next((moved / "bars").iterdir())
    cv2.imwrite(str(path), np.zeros((9, 9), np.uint8))
    command = ["export", str(trained_run), "--data", str(moved), "--out", str(tmp_path / "b")]
    assert edgecl(command) == 2
    assert "not the ones that" in one_line(capfd.readouterr().err)


def test_an_unknown_pass_label_is_refused(trained_run, tmp_path, capfd):
    out = tmp_path / "b.edgecl"
    assert edgecl(["export", str(trained_run), "--pass-label", "shiny", "--out", str(out)]) == 2
    assert "'shiny' is not a class" in one_line(capfd.readouterr().err)
    assert not out.exists()
