"""The TensorRT session on every TensorRT version and both sets of bindings, all of doubles.

What a double cannot prove, such as that an engine computes, is for a machine with a GPU.
"""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest

from runtime.artifact.contract import InputContract, ModelContract
from runtime.errors import InputError
from runtime.session.tensorrt.device import LANES
from runtime.session.tensorrt.session import TensorRtSession
from tests.bindings.tensorrt_double import make_plan


def images(*levels: int) -> np.ndarray:
    return np.stack([np.full((1, 8, 12), level, np.uint8) for level in levels])


@pytest.fixture
def session(box):
    with TensorRtSession(box.engine(), precision="fp16") as opened:
        yield opened
    assert box.driver.left == {}


def test_it_answers_for_each_image_of_a_batch(session):
    outputs = session.infer(images(255, 10, 128))
    assert outputs.probabilities.argmax(axis=1).tolist() == [2, 0, 1]
    assert outputs.probabilities.dtype == outputs.embedding.dtype == np.float32
    assert outputs.embedding.shape == (3, 4)
    assert outputs.embedding[0].tolist() == [1, 1, 1, 1]


def test_answers_are_not_overwritten_by_the_next(session):
    first = session.infer(images(255))
    session.infer(images(0))
    assert first.probabilities.argmax() == 2


def test_steps_are_timed_by_the_gpu(session):
    session.warm_up()
    outputs, steps = session.infer_timed(images(128))
    # Of one microsecond each in the double: a copy up, a run, two copies down; events between.
    assert steps == {"upload": 2000, "infer": 2000, "download": 3000}
    assert outputs.probabilities.argmax() == 1


def test_without_times_no_event_is_recorded(session, box):
    session.infer(images(1))
    assert "cuEventRecord" not in box.driver.calls


def test_the_order_of_a_frame(session, box):
    session.warm_up()
    box.driver.calls.clear()
    session.infer(images(1))
    run = "cuGraphLaunch" if box.graphs else "execute"
    assert box.driver.calls == [
        "cuCtxPushCurrent",
        "cuMemcpyHtoDAsync",
        run,
        "cuMemcpyDtoHAsync",
        "cuMemcpyDtoHAsync",
        "cuStreamSynchronize",
        "cuCtxPopCurrent",
    ]


def test_nothing_is_taken_after_warm_up(session, box):
    session.warm_up()
    before = dict(box.driver.left)
    box.driver.calls.clear()
    for level in range(50):
        session.infer_timed(images(level))
    assert box.driver.left == before
    taken = {"cuMemAlloc", "cuMemHostAlloc", "cuStreamCreate", "cuEventCreate", "context made"}
    assert not taken & set(box.driver.calls)


def test_a_graph_is_captured_once_per_batch_size(session, box):
    for size in (1, 2, 1, 2, 2, 1):
        session.infer(images(*range(size)))
    captured = box.driver.calls.count("cuStreamBeginCapture")
    assert captured == (2 if box.graphs else 0)
    assert box.driver.calls.count("context made") == 2


def test_no_graph_where_none_is_wanted(box):
    with TensorRtSession(box.engine(), precision="fp16", graph=False) as session:
        assert session.infer(images(255)).probabilities.argmax() == 2
        assert "no CUDA graph" in session.describe()
    assert "cuStreamBeginCapture" not in box.driver.calls
    assert box.driver.left == {}


def test_what_cannot_be_captured_runs_call_by_call_and_says_so(box):
    box.driver.fail["cuStreamEndCapture"] = ["CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"]
    with TensorRtSession(box.engine(), precision="fp16") as session:
        assert session.infer(images(255)).probabilities.argmax() == 2
        assert session.infer(images(0)).probabilities.argmax() == 0
        if box.graphs:
            assert "no CUDA graph (the GPU driver rejected" in session.describe()
        else:
            assert "no CUDA graph (pycuda does not support them" in session.describe()
    assert box.driver.left == {}


def test_batch_sizes_beyond_those_kept_take_the_place_of_the_one_unused_longest(box):
    largest = LANES + 2
    path = box.engine(make_plan(box.version, batches=[1, 1, largest]), batches=(1, 1, largest))
    with TensorRtSession(path, precision="fp16") as session:
        for size in range(1, largest + 1):
            session.infer(images(*range(size)))
        assert box.driver.left["context"] == LANES
        session.infer(images(0))  # one that went is made again
        assert session.infer(images(255)).probabilities.argmax() == 2
    assert box.driver.left == {}


def test_a_batch_outside_the_profile_names_it(session, box):
    for size in (0, 5):
        batch = np.zeros((size, 1, 8, 12), np.uint8)
        with pytest.raises(InputError, match=f"a batch of {size} is outside .* allows 1 to 4"):
            session.infer(batch)
    assert session.batches == (1, 4)
    session.infer(images(1, 2, 3, 4))


@pytest.mark.parametrize(
    "batch",
    [
        np.zeros((1, 1, 8, 12), np.float32),
        np.zeros((1, 1, 8, 13), np.uint8),
        np.zeros((1, 8, 12), np.uint8),
    ],
)
def test_another_dtype_or_shape_is_refused(session, batch):
    for infer in (session.infer, session.infer_timed):
        with pytest.raises(InputError, match="the model takes uint8 N×1×8×12"):
            infer(batch)


def test_it_says_what_it_runs_on(session, box):
    assert session.precision == "fp16"
    line = session.describe()
    assert line.startswith(f"fp16 on tensorrt {box.version}, Orin (8.7), {box.memory}")
    assert session.contract.labels == ("dark", "middle", "bright")


def test_a_closed_session_refuses_and_closes_again(session, box):
    session.close()
    assert box.driver.left == {}
    with pytest.raises(InputError, match="is closed"):
        session.infer(images(1))
    session.close()


def test_many_sessions_leave_nothing_behind(box):
    path = box.engine()
    for _ in range(20):
        with TensorRtSession(path, precision="fp16") as session:
            session.warm_up()
    assert box.driver.left == {}
    assert box.driver.used == 0
    assert box.driver.retained == 1


def test_two_sessions_at_once_do_not_see_each_other(box):
    with (
        TensorRtSession(box.engine(), precision="fp16") as one,
        TensorRtSession(box.engine(), precision="fp16") as two,
    ):
        assert one.infer(images(255)).probabilities.argmax() == 2
        assert two.infer(images(0)).probabilities.argmax() == 0
        one.close()
        assert two.infer(images(128)).probabilities.argmax() == 1
    assert box.driver.left == {}


def test_a_session_is_used_and_closed_on_other_threads(box):
    session = TensorRtSession(box.engine(), precision="fp16")
    answers: list[int] = []

    def work() -> None:
        answers.append(int(session.infer(images(255)).probabilities.argmax()))

    for target in (work, session.close):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    assert answers == [2]
    assert box.driver.left == {}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"tensorrt": "9.9"}, "was built with TensorRT 9.9, but this machine has TensorRT"),
        (
            {"compute_capability": "7.5"},
            r"built for Orin \(7.5\), but this machine has Orin \(8.7\)",
        ),
        ({"device": "Tesla T4"}, r"built for Tesla T4 \(8.7\), but this machine has Orin"),
        (
            {"contract": ModelContract(InputContract(8, 12), ("a", "b"))},
            "has 3 classes, but its sidecar says 2",
        ),
        ({"contract": ModelContract(InputContract(9, 12), ("a", "b", "c"))}, "its input is"),
        ({"module": "tensorrt_rtx"}, "tensorrt_rtx cannot be imported"),
    ],
)
def test_an_engine_of_something_else_is_refused(box, monkeypatch, fields, named):
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(InputError, match=named) as found:
        TensorRtSession(box.engine(**fields), precision="fp16")
    assert "\n" not in str(found.value)
    assert box.driver.left == {}


@pytest.mark.parametrize(
    ("plan", "named"),
    [
        ({"version": "10.0.0"}, "cannot load the engine .*engine of version 10.0.0"),
        ({"dtype": "HALF"}, "image is half, not uint8"),
        ({"names": ["image", "logits"]}, "its tensors are image, logits"),
    ],
)
def test_an_engine_that_is_none_of_ours_is_refused(box, plan, named):
    path = box.engine(make_plan(box.version) if plan is None else plan_of(box, plan))
    with pytest.raises(InputError, match=named):
        TensorRtSession(path, precision="fp16")
    assert box.driver.left == {}


def plan_of(box, fields) -> bytes:
    return make_plan(**{"version": box.version, **fields})


def test_bytes_that_are_no_engine_give_tensorrts_own_words(box):
    with pytest.raises(InputError, match=r"cannot load the engine .*magicTag.*rebuilds it"):
        TensorRtSession(box.engine(b"no engine"), precision="fp16")
    assert box.driver.left == {}


def test_a_truncated_engine_is_named_before_tensorrt_sees_it(box):
    path = box.engine()
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="is truncated or was changed"):
        TensorRtSession(path, precision="fp16")
    assert "runtime made" not in box.driver.calls


def test_a_tensorrt_that_is_too_old_is_named(box):
    box.trt.__version__ = "8.6.1"
    with pytest.raises(InputError, match=r"TensorRT 8.6.1 is older than 10.3"):
        TensorRtSession(box.engine(), precision="fp16")
