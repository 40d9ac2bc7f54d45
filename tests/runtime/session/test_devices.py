"""Which device a model is opened on: what was asked for, what works, and what stands behind it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from runtime.artifact.bundle import MANIFEST, load_bundle, manifest_digest
from runtime.artifact.contract import InputContract, ModelContract
from runtime.errors import InputError, SessionLostError
from runtime.gpu.missing import Problem
from runtime.gpu.probe import GpuProbe
from runtime.session import built
from runtime.session.fallback import FallbackSession
from runtime.session.opening import open_fastest, open_session
from tests.bindings.tensorrt_double import make_plan
from tests.runtime.session.test_golden import packed, put, reversed_model

CONTRACT = ModelContract(InputContract(32, 48), ("dark", "middle", "bright"), ("bright",))
NO_TENSORRT = Problem("TensorRT is not installed", "install it so", "on JetPack", "on x86")


@pytest.fixture
def backend() -> str:
    return "cuda-bindings"


@pytest.fixture
def version() -> str:
    return "10.3.0"


@pytest.fixture
def bundle(make_bundle):
    """A bundle that holds FP32 for all, and FP16 and INT8 for TensorRT too."""
    path = make_bundle(precisions=("fp32", "fp16", "int8"))
    manifest = json.loads((path / MANIFEST).read_text())
    manifest["tensorrt"] = manifest["precisions"]
    manifest["digest"] = manifest_digest(manifest)
    (path / MANIFEST).write_text(json.dumps(manifest))
    return load_bundle(path)


@pytest.fixture
def gpu(box, monkeypatch):
    """A box with a GPU; `gpu.engine_for` gives engines, `gpu.asked` says of what."""
    monkeypatch.setattr(built, "has_device", lambda: True)
    monkeypatch.setattr(built, "probe_gpu", GpuProbe)
    box.asked = []

    def engine_for(bundle, precision):
        box.asked.append(precision)
        if precision in box.refused:
            raise InputError(f"{precision} cannot be built")
        plan = make_plan(box.version, image=[32, 48])
        return box.engine(plan, contract=CONTRACT, precision=precision)

    box.engine_for, box.refused = engine_for, set()
    return box


@pytest.fixture
def no_tensorrt(monkeypatch):
    monkeypatch.setattr(built, "has_device", lambda: True)
    monkeypatch.setattr(built, "probe_gpu", lambda: GpuProbe(problems=(NO_TENSORRT,)))


@pytest.fixture
def no_device(monkeypatch):
    def never():
        raise AssertionError("there is no device to ask")

    monkeypatch.setattr(built, "has_device", lambda: False)
    monkeypatch.setattr(built, "probe_gpu", never)


def white() -> np.ndarray:
    return np.full((1, 1, 32, 48), 255, np.uint8)


def test_the_processor_is_the_default_and_nothing_else_is_looked_at(bundle, no_device):
    with open_session(bundle, "fp32", engine="onnxruntime") as session:
        assert session.engine == "onnxruntime"


def test_gpu_without_tensorrt_is_an_error_that_says_what_is_missing(bundle, no_tensorrt):
    with pytest.raises(InputError, match="--device gpu: TensorRT is not installed; install it so"):
        open_session(bundle, "int8", device="gpu")
    with pytest.raises(InputError, match="TensorRT is not installed"):
        open_session(bundle, "int8", engine="tensorrt")


def test_gpu_without_a_device_is_an_error(bundle, no_device):
    with pytest.raises(InputError, match="--device gpu: no NVIDIA device"):
        open_session(bundle, "int8", device="gpu")


@pytest.mark.parametrize("lacking", ["no_tensorrt", "no_device"])
def test_auto_takes_the_processor_and_says_so_once(bundle, lacking, request):
    request.getfixturevalue(lacking)
    said: list[str] = []
    with open_session(bundle, "int8", device="auto", report=said.append) as session:
        assert session.device.startswith("CPU")
        assert session.precision == "int8"
    assert len(said) == 1
    assert said[0].startswith("running inference on the CPU: ")


def test_gpu_measures_what_the_bundle_holds_but_fp32(bundle, gpu):
    session, table = open_fastest(bundle, device="gpu", engine_for=gpu.engine_for)
    with session:
        assert session.engine == "tensorrt"
        assert gpu.asked == ["fp16", "int8"]
        assert {candidate.precision for candidate in table} == {"fp16", "int8"}
        assert session.infer(white()).probabilities.argmax() == 2
    assert gpu.driver.left == {}


def test_a_named_precision_is_opened_alone(bundle, gpu):
    session, table = open_fastest(bundle, "fp32", device="gpu", engine_for=gpu.engine_for)
    session.close()
    assert (session.precision, gpu.asked, table) == ("fp32", ["fp32"], ())
    with pytest.raises(InputError, match="has no int4 for tensorrt"):
        open_session(bundle, "int4", device="gpu", engine_for=gpu.engine_for)


def test_auto_takes_the_gpu_with_the_processor_behind_it(bundle, gpu):
    said: list[str] = []
    session = open_session(
        bundle, "int8", device="auto", engine_for=gpu.engine_for, report=said.append
    )
    assert isinstance(session, FallbackSession)
    with session:
        assert session.engine == "tensorrt"
        assert session.infer(white()).probabilities.argmax() == 2
        assert said == []
        gpu.driver.lost = "CUDA_ERROR_LAUNCH_FAILED"
        assert session.infer(white()).probabilities.argmax() == 2
        assert session.device.startswith("CPU")
        assert session.precision == "int8"
    assert len(said) == 1
    assert "continuing with int8 on " in said[0]


def test_gpu_has_nothing_behind_it(bundle, gpu):
    with open_session(bundle, "int8", device="gpu", engine_for=gpu.engine_for) as session:
        gpu.driver.lost = "CUDA_ERROR_LAUNCH_FAILED"
        with pytest.raises(SessionLostError):
            session.infer(white())


def test_a_precision_that_cannot_be_built_is_left_out_with_a_line(bundle, gpu):
    gpu.refused = {"fp16"}
    said: list[str] = []
    session = open_session(bundle, device="gpu", engine_for=gpu.engine_for, report=said.append)
    session.close()
    assert session.precision == "int8"
    assert said == ["fp16 is skipped: fp16 cannot be built"]
    assert gpu.driver.left == {}


def test_an_engine_that_does_not_run_is_left_out_and_closed(bundle, gpu):
    gpu.driver.fail["execute"] = ["CUDA_ERROR_OUT_OF_MEMORY"]
    said: list[str] = []
    session = open_session(bundle, device="gpu", engine_for=gpu.engine_for, report=said.append)
    assert session.precision == "int8"
    assert "fp16 is skipped: " in said[0]
    assert gpu.driver.left["runtime"] == 1
    session.close()
    assert gpu.driver.left == {}


def test_nothing_that_can_be_built(bundle, gpu):
    gpu.refused = {"fp16", "int8"}
    with pytest.raises(InputError, match="--device gpu: fp16 cannot be built"):
        open_session(bundle, device="gpu", engine_for=gpu.engine_for)
    said: list[str] = []
    with open_session(
        bundle, device="auto", engine_for=gpu.engine_for, report=said.append
    ) as session:
        assert session.device.startswith("CPU")
    assert said[-1] == "running inference on the CPU: fp16 cannot be built"


def test_without_somebody_who_builds(bundle, gpu):
    with pytest.raises(InputError, match="no engine is built for"):
        open_session(bundle, device="gpu")


def test_a_bundle_that_holds_nothing_for_tensorrt(make_bundle, gpu):
    bundle = load_bundle(make_bundle())
    with pytest.raises(InputError, match="has no precision for TensorRT; export it again"):
        open_session(bundle, device="gpu", engine_for=gpu.engine_for)


def test_a_processors_engine_decides_the_device(bundle, no_device):
    with open_session(bundle, "fp32", engine="onnxruntime", device="auto") as session:
        assert session.engine == "onnxruntime"
    with pytest.raises(InputError, match=r"onnxruntime does not run on the gpu; .*--device cpu"):
        open_session(bundle, engine="onnxruntime", device="gpu")
    with pytest.raises(InputError, match="tensorrt does not run on the cpu"):
        open_session(bundle, engine="tensorrt", device="cpu")
    with pytest.raises(InputError, match="unknown device 'npu'"):
        open_session(bundle, device="npu")


def test_a_built_engine_runs_alone(gpu):
    plan = make_plan(gpu.version, image=[32, 48])
    path = gpu.engine(plan, contract=CONTRACT, precision="int8")
    for device in (None, "auto", "gpu"):
        with open_session(path, device=device) as session:
            assert (session.engine, session.precision) == ("tensorrt", "int8")
    with pytest.raises(InputError, match="does not run on the cpu"):
        open_session(path, device="cpu")
    with pytest.raises(InputError, match="no engine found"):
        open_session(path.with_name("gone.engine"))
    assert gpu.driver.left == {}


def test_a_lone_onnx_file_runs_on_the_processor(bundle, gpu):
    path = bundle.path / "model.fp32.onnx"
    with open_session(path, device="auto", engine="auto") as session:
        assert session.device.startswith("CPU")
    with pytest.raises(InputError, match="engines are built from bundles"):
        open_session(path, device="gpu")


def test_a_frame_that_fails_while_it_is_measured_is_one_line(bundle, gpu):
    gpu.driver.fail["cuMemcpyHtoDAsync"] = [*[""] * 8, "CUDA_ERROR_OUT_OF_MEMORY"]
    with pytest.raises(InputError, match=r"the model cannot run: .*out of memory"):
        open_session(bundle, device="gpu", engine_for=gpu.engine_for)
    assert gpu.driver.left == {}


def test_an_engine_that_answers_otherwise_than_the_exported_model_is_not_used(bundle, gpu):
    """Its builder may have chosen a faulty kernel: the golden images tell, before any frame."""
    images = np.stack([np.full((1, 32, 48), value, np.uint8) for value in (40, 128, 215)])
    answers = np.eye(3, dtype=np.float32)
    put(bundle.path, packed(images=images, probabilities=answers))
    with open_session(bundle.path, "int8", device="gpu", engine_for=gpu.engine_for) as session:
        assert session.engine == "tensorrt"
    put(bundle.path, packed(images=images, probabilities=answers[::-1].copy()))
    with pytest.raises(InputError, match="2 of 3 golden images"):
        open_session(bundle.path, "int8", device="gpu", engine_for=gpu.engine_for)
    assert gpu.driver.left == {}


@pytest.mark.parametrize("named", [False, True], ids=["auto", "int8"])
def test_a_processor_that_answers_otherwise_does_not_stop_the_gpu(bundle, gpu, named):
    """Behind the GPU stands another precision, or nothing where one was asked for by name."""
    images = np.stack([np.full((1, 32, 48), value, np.uint8) for value in (40, 128, 215)])
    put(bundle.path, packed(images=images, probabilities=np.eye(3, dtype=np.float32)))
    for precision in ("int8", "fp16"):
        put(bundle.path, reversed_model(bundle.path), f"model.{precision}.onnx")
    said: list[str] = []
    session = open_session(
        bundle.path,
        "int8" if named else "auto",
        device="auto",
        engine_for=gpu.engine_for,
        report=said.append,
    )
    with session:
        assert session.engine == "tensorrt"
        assert isinstance(session, FallbackSession) is not named
        if not named:
            gpu.driver.lost = "CUDA_ERROR_ILLEGAL_ADDRESS"
            assert session.infer(white()).probabilities.argmax() == 2
            assert session.precision == "fp32"
    assert any(line.startswith("no CPU fallback for the GPU") for line in said) is named
