"""`run` and `bench` on a GPU, without one, and on one that fails; the GPU is a double."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run as edgecl
from runtime.artifact.bundle import MANIFEST, manifest_digest
from runtime.artifact.contract import InputContract, ModelContract
from runtime.gpu.probe import GpuProbe
from runtime.session import built
from tests.bindings.boxes import box, driver
from tests.bindings.tensorrt_double import make_plan
from tests.novelty import add_novelty

__all__ = ["box", "driver"]

CONTRACT = ModelContract(InputContract(32, 48), ("dark", "middle", "bright"), ("bright",))


@pytest.fixture(params=["pycuda", "cuda-bindings"])
def backend(request) -> str:
    return str(request.param)


@pytest.fixture
def version() -> str:
    return "11.4.0.106"


@pytest.fixture
def workplace(make_bundle, tmp_path: Path, monkeypatch) -> Path:
    """A bundle for both, and a folder of eight white images."""
    path = make_bundle(tmp_path / "tiny.edgecl", precisions=("fp32", "int8"))
    manifest = json.loads((path / MANIFEST).read_text())
    manifest["tensorrt"] = {"int8": manifest["precisions"]["int8"]}
    manifest["digest"] = manifest_digest(manifest)
    (path / MANIFEST).write_text(json.dumps(manifest))
    add_novelty(path, limits={"fp32": 9.0, "int8": 9.0})
    (tmp_path / "parts").mkdir()
    for number in range(8):
        cv2.imwrite(str(tmp_path / f"parts/{number}.png"), np.full((32, 48), 255, np.uint8))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def gpu(box, workplace, monkeypatch):
    """The double's GPU, with engines already built."""
    monkeypatch.setattr(built, "has_device", lambda: True)
    monkeypatch.setattr(built, "probe_gpu", GpuProbe)
    path = box.engine(make_plan(box.version, image=[32, 48]), contract=CONTRACT, precision="int8")
    monkeypatch.setattr("export.engine.ready.ready_engine", lambda *given, **rest: path)
    box.path = path
    return box


@pytest.fixture
def no_gpu(workplace, monkeypatch):
    monkeypatch.setattr(built, "has_device", lambda: False)


def judged(capfd, *arguments: str):
    # The images are white, which a camera's health would call a fault.
    code = edgecl(
        ["run", "--camera", "parts", "--out", "o", "--json", "--health", "off", *arguments]
    )
    out, err = capfd.readouterr()
    return code, json.loads(out) if out else None, err


def test_int8_on_a_gpu_that_is_not_there_is_one_line_and_2(no_gpu, capfd):
    code, summary, err = judged(capfd, "--precision", "int8", "--device", "gpu")
    problem, hint = (
        "--device gpu: no NVIDIA device found",
        "use --device cpu, or run 'edgecl doctor' for details",
    )
    assert (code, summary["error"]) == (
        2,
        {"code": "input", "message": problem, "hint": hint, "exit_code": 2},
    )
    assert err == f"edgecl: {problem}; {hint} [input]\n"


def test_auto_without_a_gpu_says_so_once(no_gpu, capfd):
    code, summary, err = judged(capfd, "--precision", "int8")
    assert code == 0
    assert err.count("running inference on the CPU: no NVIDIA device found") == 1
    assert summary["notes"] == ["running inference on the CPU: no NVIDIA device found"]
    assert summary["device"].startswith("CPU")


def test_cpu_says_nothing_of_gpus(no_gpu, capfd):
    code, summary, err = judged(capfd, "--precision", "int8", "--device", "cpu")
    assert (code, summary["notes"]) == (0, [])
    assert "NVIDIA" not in err


def test_frames_on_the_gpu_have_its_steps(gpu, capfd):
    code, summary, err = judged(capfd, "--device", "gpu")
    assert code == 0
    assert (summary["engine"], summary["precision"]) == ("tensorrt", "int8")
    assert summary["device"].startswith(f"Orin (8.7), {gpu.memory}")
    assert {"upload", "infer", "download"} <= set(summary["steps"])
    assert summary["statuses"]["pass"] == summary["captured"] == 8
    assert f"int8 on tensorrt {gpu.version}, Orin" in err
    assert gpu.driver.left == {}


def test_a_gpu_that_is_lost_hands_over_and_the_summary_says_so(gpu, capfd):
    lost = "CUDA_ERROR_ILLEGAL_ADDRESS"
    # Three copies warm up, and three frames are judged before.
    gpu.driver.fail["cuMemcpyHtoDAsync"] = [*[""] * 6, lost]
    code, summary, err = judged(capfd, "--device", "auto")
    assert code == 0
    assert (summary["judged"], summary["faulty"], summary["balanced"]) == (8, 0, True)
    assert summary["engine"] != "tensorrt"
    assert len(summary["notes"]) == 1
    assert "illegal memory access" in summary["notes"][0]
    assert err.count("continuing with int8 on") == 1


def test_a_gpu_that_is_lost_ends_a_run_that_wanted_it(gpu, capfd):
    gpu.driver.fail["cuMemcpyHtoDAsync"] = [*[""] * 6, "CUDA_ERROR_ILLEGAL_ADDRESS"]
    code, summary, err = judged(capfd, "--device", "gpu")
    assert code == 3
    assert summary["balanced"] is True
    assert summary["statuses"]["pass"] == 3
    assert summary["faulty"] >= 1
    assert "TensorRT stopped working" in summary["error"]
    assert err.splitlines()[-1].startswith("edgecl: TensorRT stopped working: ")


def test_no_memory_in_the_middle_is_a_fault_and_the_stream_goes_on(gpu, capfd):
    gpu.driver.fail["cuMemcpyHtoDAsync"] = [*[""] * 6, "CUDA_ERROR_OUT_OF_MEMORY"]
    code, summary, _ = judged(capfd, "--device", "gpu")
    assert code == 0
    assert (summary["judged"], summary["faulty"], summary["balanced"]) == (7, 1, True)
    verdicts = map(json.loads, Path("o/verdicts.jsonl").read_text().splitlines())
    faults = [verdict for verdict in verdicts if "out of memory" in verdict.get("reason", "")]
    assert [line["status"] for line in faults] == ["fault"]


def test_a_built_engine_runs_by_its_name(gpu, capfd):
    code, summary, _ = judged(capfd, "--model", str(gpu.path))
    assert (code, summary["engine"], summary["judged"]) == (0, "tensorrt", 8)
    assert judged(capfd, "--model", str(gpu.path), "--device", "cpu")[0] == 2


@pytest.mark.usefixtures("page_left_out")
def test_bench_sets_the_gpu_beside_the_processor(gpu, capfd):
    command = ["bench", "tiny.edgecl", "--frames", "30", "--warmup", "2", "--json"]
    assert edgecl([*command, "--device", "gpu"]) == 0
    (side,) = json.loads(capfd.readouterr().out)["sides"]
    assert (side["precision"], side["engine"]) == ("int8", "tensorrt")
    assert {"upload", "infer", "download"} <= set(side["steps"])
    both = [*command, "--precision", "int8", "--engine", "onnxruntime", "--engine", "tensorrt"]
    assert edgecl(both) == 0
    sides = json.loads(capfd.readouterr().out)["sides"]
    assert [side["engine"] for side in sides] == ["onnxruntime", "tensorrt"]
    assert gpu.driver.left == {}


def test_bench_on_a_gpu_that_is_not_there(no_gpu, capfd):
    assert edgecl(["bench", "tiny.edgecl", "--device", "gpu"]) == 2
    assert "--device gpu: no NVIDIA device found" in capfd.readouterr().err
    assert edgecl(["bench", "tiny.edgecl", "--engine", "tensorrt"]) == 2
    assert "no NVIDIA device found" in capfd.readouterr().err
