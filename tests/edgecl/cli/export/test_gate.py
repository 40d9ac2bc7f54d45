"""What the command refuses to ship, and targets that lack what a graph needs."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest

from edgecl.cli.shell import run as edgecl
from edgecl.exporting import job as export_job
from export import rewrites
from export.qdq.tensorrt import quantize_for_tensorrt
from export.stages import int8_graphs
from runtime.artifact.bundle import load_bundle
from runtime.session.opening import installed_engines

pytestmark = pytest.mark.usefixtures("graphs_made_once")


def export(run, out, *options):
    return edgecl(["export", str(run), "--json", "--out", str(out), *map(str, options)])


def with_operator(operator: str, **attributes: object):
    """A rewriting that puts one more operator before the probabilities."""

    def rewrite(model: onnx.ModelProto, *_: object) -> tuple[onnx.ModelProto, tuple[str, ...]]:
        graph = model.graph
        (last,) = (node for node in graph.node if "probabilities" in node.output)
        last.output[list(last.output).index("probabilities")] = "before"
        graph.node.append(
            onnx.helper.make_node(
                operator, ["before"], ["probabilities"], name="strange_0", **attributes
            )
        )
        if "domain" in attributes:
            model.opset_import.append(onnx.helper.make_opsetid(str(attributes["domain"]), 1))
        return model, ()

    return rewrite


def test_an_operator_that_onnxruntime_lacks_is_named(trained_run, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(rewrites, "apply", with_operator("Sparkle", domain="acme"))
    out = tmp_path / "b.edgecl"
    assert export(trained_run, out) == 2
    error = capfd.readouterr().err
    assert "onnxruntime" in error
    assert "Sparkle" in error
    assert not out.exists()


@pytest.mark.skipif("openvino" not in installed_engines(), reason="OpenVINO is an extra")
def test_an_operator_that_openvino_lacks_is_named(trained_run, tmp_path, monkeypatch, capfd):
    scaler = with_operator("Scaler", domain="ai.onnx.ml", offset=[0.0], scale=[1.0])
    monkeypatch.setattr(rewrites, "apply", scaler)
    out = tmp_path / "b.edgecl"
    assert export(trained_run, out) == 1
    error = capfd.readouterr().err
    assert "in openvino" in error
    assert "ai.onnx.ml.Scaler" in error
    assert not out.exists()


def test_q_dq_that_tensorrt_refuses_is_named_with_its_node(
    trained_run, tmp_path, monkeypatch, capfd
):
    def unsigned(*arguments: object, **options: object) -> onnx.ModelProto:
        model = quantize_for_tensorrt(*arguments, **options)  # type: ignore[arg-type]
        zero = next(node for node in model.graph.node if node.op_type == "QuantizeLinear").input[2]
        for tensor in model.graph.initializer:
            if tensor.name == zero:
                tensor.CopyFrom(onnx.numpy_helper.from_array(np.array(3, np.int8), zero))
        return model

    monkeypatch.setattr(int8_graphs, "quantize_for_tensorrt", unsigned)
    out = tmp_path / "b.edgecl"
    allowing = ("--max-drop", "100", "--max-escapes", "100")
    assert export(trained_run, out, "--int8", "--calibration", "minmax", *allowing) == 1
    error = capfd.readouterr().err
    assert "int8-tensorrt not shipped: int8-tensorrt: TensorRT does not support this Q/DQ" in error
    assert "zero point" in error
    # What the CPU runs is another file and ships.
    held = load_bundle(out)
    assert "int8" in held.precisions
    assert "int8" not in held.tensorrt


def parts(monkeypatch, change):
    """Change the job of the next export."""
    job_of_run = export_job.job_of_run
    monkeypatch.setattr(export_job, "job_of_run", lambda *a, **k: change(job_of_run(*a, **k)))


@pytest.fixture
def blind_half(monkeypatch):
    """FP16 that takes every defect for a part that passes."""

    def blind(model: onnx.ModelProto) -> tuple[onnx.ModelProto, tuple[str, ...]]:
        graph = model.graph
        (last,) = (node for node in graph.node if "probabilities" in node.output)
        last.output[list(last.output).index("probabilities")] = "before"
        bias = np.array([[2, 0, 0]], np.float32)  # bars, blob, posts
        graph.initializer.append(onnx.numpy_helper.from_array(bias, "bias"))
        graph.node.append(
            onnx.helper.make_node("Add", ["before", "bias"], ["probabilities"], name="bias_0")
        )
        return model, ()

    apply = rewrites.apply

    def second_is_blind(model: onnx.ModelProto) -> tuple[onnx.ModelProto, tuple[str, ...]]:
        half = any(t.data_type == onnx.TensorProto.FLOAT16 for t in model.graph.initializer)
        return blind(model) if half else apply(model)

    monkeypatch.setattr(rewrites, "apply", second_is_blind)


BLIND = ("--fp16", "--pass-label", "bars", "--max-drop", "100")


@pytest.mark.usefixtures("blind_half")
def test_escapes_are_counted_by_the_labels_that_let_a_part_pass(trained_run, tmp_path, capfd):
    """A precision that takes every defect for a part that passes loses all that was caught."""
    out = tmp_path / "b.edgecl"
    assert export(trained_run, out, *BLIND) == 1
    captured = capfd.readouterr()
    refused = json.loads(captured.out)["refused"]["fp16"]
    assert refused["escapes"] == refused["caught"] == 12  # the 6 bars are no defects
    assert "12 of 12 defects caught by FP32 escape" in captured.err
    page = (out / "report.html").read_text()
    assert page.count("data:image/png;base64") >= 12


@pytest.mark.slow
@pytest.mark.usefixtures("blind_half")
def test_what_may_lose_every_defect_ships(trained_run, tmp_path):
    out = tmp_path / "b.edgecl"
    assert export(trained_run, out, *BLIND, "--max-escapes", "100") == 0
    assert "fp16" in load_bundle(out).precisions


def test_a_validation_part_that_lacks_a_class(
    trained_run, tmp_path, monkeypatch, capfd, check_page
):
    parts(
        monkeypatch,
        lambda job: replace(
            job, validation=job.validation.take(np.flatnonzero(job.validation.targets))
        ),
    )
    out = tmp_path / "b.edgecl"
    assert export(trained_run, out, "--fp16") == 0
    classes = json.loads(capfd.readouterr().out)["comparisons"]["fp16"]["classes"]
    assert [entry["images"] for entry in classes] == [0, 6, 6]
    assert "bars" in check_page(out / "report.html").text
    assert edgecl(["inspect", str(out)]) == 0


def test_a_run_that_knows_other_labels_than_its_images(trained_run, class_folders, tmp_path, capfd):
    data = tmp_path / "data"
    shutil.copytree(class_folders, data)
    (data / "blob").rename(data / "dent")
    assert export(trained_run, tmp_path / "b", "--data", data) == 2
    error = capfd.readouterr().err
    assert "the class dent" in error
    assert "bars, blob, posts" in error


def test_a_class_less_than_the_run_knows_is_refused(trained_run, class_folders, tmp_path, capfd):
    data = tmp_path / "data"
    shutil.copytree(class_folders, data)
    shutil.rmtree(data / "blob")
    assert export(trained_run, tmp_path / "b", "--data", data) == 2
    assert "not the ones that" in capfd.readouterr().err
