"""What a real TensorRT and a real driver say of bad input: one line each, and no crash.

Each test says what it proves that the fake cannot.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.untrained import write_bundle
from runtime.artifact.engine_file import read_engine_file, sidecar_of
from runtime.errors import FrameError, InputError
from tests.gpu.conftest import full_gpu

pytestmark = pytest.mark.gpu


@pytest.fixture
def copy(engine, tmp_path) -> Path:
    """A copy of the engine and its sidecar, to be spoilt."""
    path: Path = tmp_path / engine().name
    shutil.copy(engine(), path)
    shutil.copy(sidecar_of(engine()), sidecar_of(path))
    return path


def amend(path: Path, **fields) -> None:
    sidecar = sidecar_of(path)
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), **fields}))


def one_line(caught) -> str:
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_cut_engine_is_refused_by_its_hash(copy):
    """The session that talks to the real runtime never hands it bytes that were not verified."""
    from runtime.session.tensorrt.session import TensorRtSession

    copy.write_bytes(copy.read_bytes()[:-1000])
    with pytest.raises(InputError, match="is truncated or was changed") as caught:
        TensorRtSession(copy, precision="fp16")
    one_line(caught)


@pytest.mark.parametrize("kept", [0, 100, -1000], ids=["empty", "header", "most"])
def test_a_cut_engine_whose_sidecar_fits_is_refused_by_tensorrt(copy, kept):
    """What TensorRT does with a truncated plan: it says so, it does not take the process down."""
    from runtime.session.tensorrt.session import TensorRtSession

    plan = copy.read_bytes()[:kept]
    copy.write_bytes(plan)
    amend(copy, engine_sha256=hashlib.sha256(plan).hexdigest())
    with pytest.raises(InputError, match=copy.name) as caught:
        TensorRtSession(copy, precision="fp16")
    one_line(caught)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"tensorrt": "9.9.9.9"}, r"9\.9\.9\.9"),
        ({"device": "Another GPU", "compute_capability": "3.5"}, "Another GPU"),
    ],
    ids=["version", "GPU"],
)
def test_an_engine_of_elsewhere_is_refused_and_passed_over(copy, bundle, box, fields, words):
    """The versions and names that real libraries report are those that the sidecar is held to."""
    from export.engine.ready import ready_engine
    from runtime.session.tensorrt.session import TensorRtSession

    amend(copy, **fields)
    with pytest.raises(InputError, match=words) as caught:
        TensorRtSession(copy, precision="fp16")
    one_line(caught)
    target = bundle.path / "engines" / f"elsewhere{copy.suffix}"
    shutil.copy(copy, target)
    shutil.copy(sidecar_of(copy), sidecar_of(target))
    try:
        assert ready_engine(bundle, "fp16", probe=box) != target
    finally:
        target.unlink(missing_ok=True)
        sidecar_of(target).unlink(missing_ok=True)


def test_a_batch_outside_the_profile_is_refused_and_the_session_goes_on(either):
    """A refused batch leaves a real execution context as it was."""
    from runtime.session.tensorrt.session import TensorRtSession
    from tests.gpu import nets

    largest = read_engine_file(either()).batches[2]
    with TensorRtSession(either(), precision="fp16") as session:
        before = session.infer(nets.images(1)).embedding.copy()
        with pytest.raises(InputError, match=f"{largest + 1}") as caught:
            session.infer(nets.images(largest + 1))
        one_line(caught)
        np.testing.assert_array_equal(session.infer(nets.images(1)).embedding, before)


@pytest.mark.parametrize(
    "batch",
    [np.zeros((1, 1, 128, 800), np.float32), np.zeros((1, 1, 64, 800), np.uint8)],
    ids=["dtype", "shape"],
)
def test_a_wrong_array_never_reaches_the_gpu(batch, either):
    """A copy of the wrong size would write past a real buffer."""
    from runtime.session.tensorrt.session import TensorRtSession

    with (
        TensorRtSession(either(), precision="fp16") as session,
        pytest.raises(InputError, match="the model takes uint8"),
    ):
        session.infer(batch)


def test_a_full_gpu_is_one_line_and_works_again_when_there_is_room(memory, either):
    """The driver's real out-of-memory error, from whichever call meets it first."""
    from runtime.session.tensorrt.session import TensorRtSession
    from tests.gpu import nets

    path = either()
    with full_gpu(memory), pytest.raises(InputError) as caught:
        TensorRtSession(path, precision="fp16", memory=memory)
    one_line(caught)
    with TensorRtSession(path, precision="fp16", memory=memory) as session:
        session.infer(nets.images(1))


def test_a_gpu_that_fills_up_costs_a_frame_and_the_session_goes_on(memory, either):
    """In the middle of a stream: what the driver frees of the failed frame serves the next one."""
    from runtime.session.tensorrt.session import TensorRtSession
    from tests.gpu import nets

    image = nets.images(4)
    with TensorRtSession(either(), precision="fp16", memory=memory) as session:
        before = session.infer(image[:1]).embedding.copy()
        with full_gpu(memory), pytest.raises(FrameError) as caught:
            session.infer(image)  # another batch takes another context
        one_line(caught)
        np.testing.assert_array_equal(session.infer(image[:1]).embedding, before)


def test_an_operator_that_tensorrt_lacks_is_named(tmp_path, box):
    """This machine's own parser, which may be older or newer than the one in the other tests."""
    import onnx
    from onnx import helper

    from export.engine.ready import ready_engine
    from tests.gpu import nets

    model = onnx.load_from_string(nets.convolutions(half=True))
    softmax = next(node for node in model.graph.node if node.name == "softmax")
    softmax.op_type, softmax.domain = "Blur", "acme"
    model.opset_import.append(helper.make_opsetid("acme", 1))
    models = {"fp16": model.SerializeToString()}
    bundle = write_bundle(tmp_path / "odd.edgecl", models, nets.contract())
    with pytest.raises(InputError, match=r"operator Blur \(node softmax\)") as caught:
        ready_engine(bundle, "fp16", probe=box)
    one_line(caught)
