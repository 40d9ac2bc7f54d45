"""Bundle to verdict on a real GPU. Each test says what it proves that the fake cannot."""

from __future__ import annotations

import json
import subprocess

import cv2
import numpy as np
import pytest

from benchmarks.engines import find_trtexec
from runtime.artifact.engine_file import read_engine_file

pytestmark = pytest.mark.gpu

# FP16 has eleven bits; INT8 on the GPU rounds sums in another order than the CPU's emulation.
TOLERANCES = {"fp16": 0.02, "int8": 0.05}


@pytest.mark.parametrize("graph", [True, False], ids=["graph", "no graph"])
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_the_gpu_agrees_with_the_cpu_in_every_batch(precision, graph, memory, bundle, engine):
    """The fake answers what it is told; here real kernels compute, from the copied image."""
    from runtime.session.tensorrt.session import TensorRtSession
    from tests.gpu import nets

    batch = nets.images(4)
    model = bundle.onnx_path(precision, target="tensorrt")
    expected = nets.on_the_cpu(model, batch)
    path = engine(precision)
    with TensorRtSession(path, precision=precision, memory=memory, graph=graph) as session:
        # Sizes come and go, so that a graph captured for one is not replayed for another.
        for count in (1, 4, 2, 3, 1, 4):
            found = session.infer(batch[:count])
            np.testing.assert_allclose(
                found.probabilities, expected.probabilities[:count], atol=TOLERANCES[precision]
            )
            error = np.linalg.norm(found.embedding - expected.embedding[:count])
            assert error < 0.1 * np.linalg.norm(expected.embedding[:count])


def test_two_images_in_a_row_are_not_mixed_up(memory, either):
    """Upload, kernels and download of one frame are in order in the stream of a real GPU."""
    from runtime.session.tensorrt.session import TensorRtSession
    from tests.gpu import nets

    batch = nets.images(4)
    with TensorRtSession(either(), precision="fp16", memory=memory) as session:
        alone = [session.infer(batch[i : i + 1]).embedding.copy() for i in range(4)]
        for turn in range(100):
            place = turn % 4
            found = session.infer(batch[place : place + 1]).embedding
            np.testing.assert_array_equal(found, alone[place])


def test_several_sessions_live_beside_each_other(memory, either):
    """Contexts, streams and buffers of sessions in one process do not touch each other's memory."""
    from runtime.session.tensorrt.session import TensorRtSession
    from tests.gpu import nets

    batch = nets.images(2)
    with (
        TensorRtSession(either("fp16"), precision="fp16", memory=memory) as half,
        TensorRtSession(either("int8"), precision="int8", memory=memory) as eight,
    ):
        first, second = half.infer(batch).embedding.copy(), eight.infer(batch).embedding.copy()
        for _ in range(50):
            np.testing.assert_array_equal(half.infer(batch).embedding, first)
            np.testing.assert_array_equal(eight.infer(batch).embedding, second)


def test_the_second_start_takes_the_engine_that_the_first_built(bundle, engine, box):
    """The real builder's engine passes its own sidecar's check, and its timing cache is kept."""
    from export.engine.ready import ready_engine

    path = engine()
    said: list[str] = []
    assert ready_engine(bundle, "fp16", probe=box, say=said.append) == path
    assert said == []
    described = read_engine_file(path)
    assert described.tensorrt == box.tensorrt
    assert described.device == box.device
    if described.module == "tensorrt":
        assert list(path.parent.glob("*.timing"))


def test_trtexec_loads_the_engine_unchanged(engine):
    """Nothing that edgecl adds stands in the way of NVIDIA's own tool."""
    trtexec = find_trtexec()
    if trtexec is None:
        pytest.skip("trtexec is not here")
    done = subprocess.run(
        [trtexec, f"--loadEngine={engine()}", "--iterations=1", "--duration=0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_edgecl_run_judges_a_folder_and_builds_once(bundle, tmp_path, capfd, box):
    """The command line, the pipeline's threads and the watchdog with a real session below them."""
    from edgecl.cli.shell import run as edgecl
    from tests.gpu import nets

    frames = tmp_path / "frames"
    frames.mkdir()
    for place, image in enumerate(nets.images(12)):
        cv2.imwrite(str(frames / f"{place:02}.png"), image[0])
    command = ["run", "--model", str(bundle.path), "--camera", str(frames), "--json"]
    command += ["--engine", "tensorrt", "--precision", "fp16", "--out", str(tmp_path / "out")]
    assert edgecl(command) == 0
    capfd.readouterr()
    assert edgecl(command) == 0
    told = capfd.readouterr()
    summary = json.loads(told.out)
    assert (summary["captured"], summary["judged"], summary["dropped"]) == (12, 12, 0)
    assert {"upload", "infer", "download"} <= set(summary["steps"])
    assert "building the" not in told.err


@pytest.mark.parametrize("encoder", ["convnet", "shufflenet"])
def test_an_exported_network_runs_and_agrees(encoder, tmp_path, box):
    """The graphs that torch's exporter writes, Q/DQ and all, run on kernels of this GPU."""
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    from benchmarks.untrained import export_untrained
    from export.engine.ready import ready_engine
    from runtime.session.tensorrt.session import TensorRtSession
    from tests.gpu import nets

    bundle = export_untrained(encoder, tmp_path / f"{encoder}.edgecl")
    batch = nets.images(1)
    for precision, tolerance in TOLERANCES.items():
        expected = nets.on_the_cpu(bundle.onnx_path(precision, target="tensorrt"), batch)
        path = ready_engine(bundle, precision, probe=box)
        with TensorRtSession(path, precision=precision) as session:
            found = session.infer(batch)
        np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=tolerance)
