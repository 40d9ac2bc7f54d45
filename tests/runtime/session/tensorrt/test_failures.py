"""A GPU that fails: while a session opens, in the middle of a stream, and for good."""

from __future__ import annotations

import re
import threading

import numpy as np
import pytest

from runtime.artifact.contract import InputContract
from runtime.errors import EdgeclError, FrameError, InputError, SessionLostError
from runtime.gpu.memory import open_memory
from runtime.session.base import Outputs, Session
from runtime.session.fallback import FallbackSession
from runtime.session.tensorrt import session as tensorrt_session
from runtime.session.tensorrt.session import TRIES, TensorRtSession
from runtime.stream.pipeline import Pipeline, Settings
from tests.bindings.boxes import CONTRACT
from tests.runtime.stream.test_pipeline import PATIENCE, FakeCamera, ListSink

NO_MEMORY = "CUDA_ERROR_OUT_OF_MEMORY"
ILLEGAL = "CUDA_ERROR_ILLEGAL_ADDRESS"

# Every call that a session makes once it is asked for a first frame, and what may go wrong there.
CALLS = (
    *("engine made", "context made", "execute", "cuMemAlloc", "cuMemHostAlloc"),
    *("cuStreamCreate", "cuEventCreate", "cuEventRecord", "cuMemcpyHtoDAsync"),
    *("cuMemcpyDtoHAsync", "cuStreamSynchronize", "cuEventElapsedTime"),
)

FREES = {
    *("runtime freed", "engine freed", "context freed", "cuMemFree", "cuMemFreeHost"),
    *("cuStreamDestroy", "cuEventDestroy", "cuGraphExecDestroy"),
}


class CpuSession(Session):
    """Answers `bright`, always."""

    engine, version, device, precision = "cpu", "1", "CPU", "fp32"
    contract = CONTRACT

    def __init__(self) -> None:
        self.closed = False

    def _infer(self, batch):
        return Outputs(np.array([[0, 0, 1]], np.float32), np.zeros((1, 4), np.float32))

    def close(self) -> None:
        self.closed = True


def image() -> np.ndarray:
    return np.full((1, 1, 8, 12), 255, np.uint8)


def judged(session: Session, frames: int) -> tuple[Pipeline, ListSink]:
    camera = FakeCamera([np.full((8, 12), 255, np.uint8)] * frames)
    sink = ListSink()
    pipeline = Pipeline(camera, session, Settings(), [sink])
    pipeline.start()
    assert pipeline.wait(PATIENCE)
    return pipeline, sink


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("code", [NO_MEMORY, ILLEGAL])
@pytest.mark.parametrize("after", [0, 1])
def test_every_failing_call_leaves_nothing_and_is_one_line(box, call, code, after):
    box.driver.fail[call] = [*[""] * after, code]
    try:
        with TensorRtSession(box.engine(), precision="fp16") as session:
            session.infer_timed(image())
            if after:
                session.infer_timed(image())
    except (EdgeclError, FrameError) as error:
        said = str(error)
    else:
        said = ""
        assert box.driver.fail[call], "it was called, it failed, and nobody said so"
    assert "\n" not in said
    assert not said or re.search("out of memory|stopped working|no memory", said)
    if "stopped working" in said:
        # Whatever is freed on a GPU that is gone may end the process.
        since = box.driver.calls[len(box.driver.calls) - box.driver.calls[::-1].index(call) :]
        assert not FREES & set(since)
    else:
        assert box.driver.left == {}


@pytest.mark.parametrize("call", ["execute", "cuMemcpyHtoDAsync", "cuStreamSynchronize"])
def test_a_frame_without_memory_fails_and_the_next_one_finds_new_buffers(box, call):
    with TensorRtSession(box.engine(), precision="fp16", graph=False) as session:
        session.warm_up()
        engine = box.driver.calls.count("engine made")
        box.driver.fail[call] = [NO_MEMORY]
        with pytest.raises(FrameError, match="out of memory"):
            session.infer(image())
        assert box.driver.left == {"runtime": 1, "engine": 1}
        assert session.infer(image()).probabilities.argmax() == 2
        assert box.driver.calls.count("engine made") == engine
    assert box.driver.left == {}


def test_no_memory_for_new_buffers_is_a_failed_frame_too(box):
    with TensorRtSession(box.engine(), precision="fp16", graph=False) as session:
        box.driver.fail["execute"] = [NO_MEMORY]
        box.driver.fail["cuMemAlloc"] = []
        with pytest.raises(FrameError):
            session.infer(image())
        box.driver.fail["cuMemAlloc"] = [NO_MEMORY]
        with pytest.raises(FrameError, match="out of memory"):
            session.infer(image())
        assert session.infer(image()).probabilities.argmax() == 2
    assert box.driver.left == {}


def test_failures_in_a_row_end_the_session_and_ones_apart_do_not(box):
    with TensorRtSession(box.engine(), precision="fp16", graph=False) as session:
        for _ in range(2 * TRIES):
            box.driver.fail["execute"] = [NO_MEMORY]
            with pytest.raises(FrameError):
                session.infer(image())
            session.infer(image())
        box.driver.fail["execute"] = [NO_MEMORY] * TRIES
        for _ in range(TRIES - 1):
            with pytest.raises(FrameError):
                session.infer(image())
        with pytest.raises(SessionLostError, match=f"{TRIES} frames in a row: .*out of memory"):
            session.infer(image())
        assert box.driver.left == {}
        with pytest.raises(SessionLostError):
            session.infer(image())


def test_a_driver_that_is_gone_is_one_line_and_closing_is_quiet(box):
    session = TensorRtSession(box.engine(), precision="fp16")
    session.warm_up()
    box.driver.lost = ILLEGAL
    for _ in range(2):
        with pytest.raises(
            SessionLostError, match=r"TensorRT stopped working: .*illegal memory access"
        ):
            session.infer(image())
    session.close()


def test_a_gpu_that_is_found_gone_while_closing_is_left_alone(box):
    session = TensorRtSession(box.engine(), precision="fp16")
    session.warm_up()
    box.driver.fail["cuStreamSynchronize"] = [ILLEGAL]
    box.driver.calls.clear()
    session.close()
    assert not FREES & set(box.driver.calls)
    session.close()


def test_a_gpu_that_is_found_gone_while_recovering_is_gone(box):
    with TensorRtSession(box.engine(), precision="fp16", graph=False) as session:
        session.warm_up()
        box.driver.fail["execute"] = [NO_MEMORY]
        box.driver.fail["cuStreamSynchronize"] = [ILLEGAL]
        with pytest.raises(
            SessionLostError, match=r"the GPU did not respond after: .*out of memory"
        ):
            session.infer(image())
        with pytest.raises(SessionLostError):
            session.infer(image())


def test_a_gpu_without_room_says_how_much_is_free(box):
    box.driver.total = 2**20
    memory = open_memory()
    with memory.current():
        held = memory.allocate(2**20 - 4400)  # enough for the engine and not for its buffers
        with pytest.raises(EdgeclError, match=r"out of memory .*; \d of 1 MiB of Orin's memory"):
            TensorRtSession(box.engine(), precision="fp16")
        held.close()
    assert box.driver.left == {}


def test_the_accounts_of_a_stream_stay_whole_when_the_gpu_runs_out_of_memory(box):
    session = TensorRtSession(box.engine(), precision="fp16", graph=False)
    session.warm_up()
    box.driver.fail["cuMemcpyHtoDAsync"] = ["", "", NO_MEMORY, "", NO_MEMORY, NO_MEMORY]
    pipeline, sink = judged(session, 8)
    snapshot = pipeline.finish()
    session.close()
    assert sink.statuses == ["pass", "pass", "fault", "pass", "fault", "fault", "pass", "pass"]
    assert "out of memory" in sink.verdicts[2].decision.reason
    assert (snapshot.captured, snapshot.judged, snapshot.faulty) == (8, 5, 3)
    assert snapshot.balanced
    assert {"upload", "infer", "download"} <= set(snapshot.histograms)
    assert box.driver.left == {}


def test_a_stream_whose_gpu_is_gone_ends_at_once_with_a_verdict_for_every_frame(box):
    session = TensorRtSession(box.engine(), precision="fp16")
    session.warm_up()
    box.driver.fail["cuMemcpyHtoDAsync"] = ["", "", ILLEGAL]
    pipeline, sink = judged(session, 10_000)
    with pytest.raises(SessionLostError, match="TensorRT stopped working"):
        pipeline.finish()
    session.close()
    snapshot = pipeline.ledger.snapshot()
    assert sink.statuses[:3] == ["pass", "pass", "fault"]
    assert set(sink.statuses[3:]) <= {"fault"}
    assert len(sink.verdicts) == snapshot.captured < 100
    assert snapshot.balanced


def test_the_fallback_answers_the_frame_that_found_the_gpu_gone_and_says_so_once(box):
    said: list[str] = []
    cpu = CpuSession()
    gpu = TensorRtSession(box.engine(), precision="fp16")
    with FallbackSession(gpu, cpu, said.append) as session:
        session.warm_up()
        assert session.engine == "tensorrt"
        box.driver.fail["cuMemcpyHtoDAsync"] = ["", ILLEGAL]
        pipeline, sink = judged(session, 6)
        snapshot = pipeline.finish()
        assert (session.engine, session.precision) == ("cpu", "fp32")
    assert sink.statuses == ["pass"] * 6
    assert snapshot.balanced
    assert len(said) == 1
    assert "illegal memory access" in said[0]
    assert said[0].endswith("continuing with fp32 on cpu 1, CPU")
    assert cpu.closed
    assert snapshot.histograms["upload"].count == 1
    assert snapshot.histograms["infer"].count == 6


def test_the_fallback_leaves_single_faults_alone(box):
    said: list[str] = []
    gpu = TensorRtSession(box.engine(), precision="fp16", graph=False)
    with FallbackSession(gpu, CpuSession(), said.append) as session:
        session.warm_up()
        box.driver.fail["execute"] = [NO_MEMORY] * 2
        _, sink = judged(session, 4)
        assert session.engine == "tensorrt"
    assert sink.statuses == ["fault", "fault", "pass", "pass"]
    assert said == []


def test_a_fallback_that_is_lost_as_well_is_lost(box):
    class Lost(CpuSession):
        def _infer(self, batch):
            raise SessionLostError("the CPU is gone")

    with FallbackSession(Lost(), Lost(), lambda line: None) as session:
        with pytest.raises(SessionLostError, match="the CPU is gone"):
            session.infer(image())
        with pytest.raises(SessionLostError):
            session.infer(image())


def test_a_fallback_of_another_model_is_a_mistake():
    other = CpuSession()
    other.contract = type(CONTRACT)(InputContract(9, 9), CONTRACT.labels)
    with pytest.raises(ValueError, match="same model"):
        FallbackSession(CpuSession(), other, lambda line: None)


def test_closing_does_not_pull_memory_from_under_a_frame_that_hangs(box, monkeypatch):
    monkeypatch.setattr(tensorrt_session, "CLOSE_S", 0.05)
    session = TensorRtSession(box.engine(), precision="fp16")
    session.warm_up()
    inside, go_on = threading.Event(), threading.Event()
    synchronize = box.driver.synchronize

    def hanging(handle: int) -> None:
        inside.set()
        assert go_on.wait(PATIENCE)
        synchronize(handle)

    monkeypatch.setattr(box.driver, "synchronize", hanging)
    thread = threading.Thread(target=session.infer, args=(image(),))
    thread.start()
    assert inside.wait(PATIENCE)
    session.close()
    assert box.driver.left["memory"] == 3
    go_on.set()
    thread.join()
    with pytest.raises(InputError, match="is closed"):
        session.infer(image())
    session.close()
    assert box.driver.left == {}
