"""The stream under stress. Cameras and models here wait for events, not for the clock."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.artifact.contract import InputContract, ModelContract
from runtime.camera.base import Camera, Frame
from runtime.errors import EquipmentError, InputError
from runtime.interpreter import SWITCH_INTERVAL_S
from runtime.session.base import Outputs, Session
from runtime.stream.budget import Budget
from runtime.stream.judge import FAILURES_IN_A_ROW
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.rules import Rules
from runtime.stream.sinks import Sink
from runtime.stream.sinks.isolated import IsolatedSink
from runtime.stream.verdict import Verdict

CONTRACT = ModelContract(InputContract(8, 8), ("good", "bad"), ("good",))
PATIENCE = 20.0
HOUR_NS = 3600 * 10**9


class FakeCamera(Camera):
    """Gives the images of `pixels`; None stands for a frame that cannot be decoded."""

    name = "fake"

    def __init__(self, pixels: Iterable[object], *, live: bool = False) -> None:
        self.live = live
        self._pixels = iter(pixels)
        self._number = 0
        self.reads = 0
        self.before_read: Callable[[int], None] = lambda number: None

    def read(self) -> Frame | None:
        self.reads += 1
        self.before_read(self._number)
        pixels = next(self._pixels, StopIteration)
        if pixels is StopIteration:
            return None
        if isinstance(pixels, Exception):
            raise pixels
        now = time.monotonic_ns()
        number = self._number
        self._number += 1
        fault = "broken" if pixels is None else ""
        return Frame(number, pixels, now, now, fault=fault, truth="good")  # type: ignore[arg-type]


class FakeSession(Session):
    """Answers `good`; `work` runs first, with the number of the call."""

    engine, version, device, precision = "fake", "1", "CPU", "fp32"
    contract = CONTRACT

    def __init__(self, work: Callable[[int], None] = lambda call: None) -> None:
        self.calls = 0
        self._work = work
        self.answer = np.array([[0.9, 0.1]], np.float32)

    def _infer(self, batch):
        self.calls += 1
        self._work(self.calls - 1)
        return Outputs(self.answer, np.zeros((1, 4), np.float32))


class ListSink(Sink):
    isolated = True

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []
        self.changed = threading.Condition()

    def emit(self, verdict: Verdict) -> None:
        with self.changed:
            self.verdicts.append(verdict)
            self.changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.verdicts) >= count, PATIENCE)

    @property
    def statuses(self) -> list[str]:
        return [verdict.decision.status.value for verdict in self.verdicts]

    @property
    def numbers(self) -> list[int]:
        return [verdict.number for verdict in self.verdicts]


def images(count: int) -> list[np.ndarray]:
    return [np.zeros((16, 16), np.uint8)] * count


def stream(
    camera: Camera,
    session: Session,
    *,
    sink: ListSink | None = None,
    grace_s: float = 0.2,
    **settings: Any,
) -> tuple[Pipeline, ListSink]:
    sink = sink or ListSink()
    budget = Budget(settings.pop("limits", {}))
    given = {name: settings.pop(name) for name in ("debounce", "on_late") if name in settings}
    late_sink = settings.pop("late_sink", None)
    pipeline = Pipeline(
        camera,
        session,
        Settings(Rules(budget, 0.5, **given), **settings),
        [sink],
        grace_s=grace_s,
        late_sink=late_sink,
    )
    pipeline.start()
    return pipeline, sink


def ended(pipeline: Pipeline):
    assert pipeline.wait(PATIENCE)
    return pipeline.finish()


def test_every_frame_of_a_file_is_judged_in_order():
    pipeline, sink = stream(FakeCamera(images(50)), FakeSession())
    snapshot = ended(pipeline)
    assert sink.numbers == list(range(50))
    assert set(sink.statuses) == {"pass"}
    assert (snapshot.captured, snapshot.judged, snapshot.dropped) == (50, 50, 0)
    assert snapshot.balanced
    assert (snapshot.right, snapshot.known) == (50, 50)
    steps = set(snapshot.histograms)
    assert steps == {"capture", "queue", "preprocess", "infer", "decide", "emit", "total"}
    assert {histogram.count for histogram in snapshot.histograms.values()} == {50}


def test_frames_of_changing_size_and_kind():
    shapes = [(16, 16), (5, 300), (480, 640, 3), (8, 8), (64, 64, 4), (7, 7, 1)]
    pixels = [np.full(shape, 9, np.uint8) for shape in shapes]
    odd = [np.zeros((4, 4, 5), np.uint8), np.zeros((4, 4), np.float32), np.zeros((0, 4), np.uint8)]
    pipeline, sink = stream(FakeCamera([*pixels, *odd, *pixels]), FakeSession())
    snapshot = ended(pipeline)
    assert sink.statuses == ["pass"] * 6 + ["fault"] * 3 + ["pass"] * 6
    assert (snapshot.judged, snapshot.faulty) == (12, 3)
    assert snapshot.balanced


def test_the_next_frame_is_read_while_one_is_judged():
    judging, read_again = threading.Event(), threading.Event()
    camera = FakeCamera(images(2))

    def before_read(number: int) -> None:
        if number == 1:
            assert judging.wait(PATIENCE)
            read_again.set()

    def work(call: int) -> None:
        if call == 0:
            judging.set()
            assert read_again.wait(PATIENCE)

    camera.before_read = before_read
    pipeline, _ = stream(camera, FakeSession(work))
    assert ended(pipeline).judged == 2


def test_a_file_is_not_read_further_ahead_than_one_frame():
    camera = FakeCamera(images(10))
    busy, release = threading.Event(), threading.Event()

    def work(call: int) -> None:
        busy.set()
        assert release.wait(PATIENCE)

    pipeline, _ = stream(camera, FakeSession(work))
    assert busy.wait(PATIENCE)
    for _ in range(200):  # a thread that wants to read on has every chance to
        time.sleep(0)
    assert camera.reads <= 2
    release.set()
    assert ended(pipeline).judged == 10


def stream_read_out_during_the_first_judgement(
    frames: Sequence[NDArray[np.uint8] | None],
) -> tuple[Pipeline, ListSink]:
    """A `latest` stream in which all frames but the first come while that one is judged."""
    busy, all_read = threading.Event(), threading.Event()
    camera = FakeCamera(frames, live=True)

    def before_read(number: int) -> None:
        if number == 1:
            assert busy.wait(PATIENCE)
        if number == len(frames):
            all_read.set()

    def work(call: int) -> None:
        busy.set()
        assert all_read.wait(PATIENCE)

    camera.before_read = before_read
    return stream(camera, FakeSession(work), every_frame=False)


def test_latest_drops_what_a_newer_frame_displaces_and_counts_it():
    pipeline, sink = stream_read_out_during_the_first_judgement(images(10))
    snapshot = ended(pipeline)
    assert sink.numbers == [0, 9]
    assert (snapshot.captured, snapshot.judged, snapshot.dropped) == (10, 2, 8)
    assert snapshot.balanced


def test_latest_never_drops_a_good_frame_for_a_broken_one():
    image = images(1)[0]
    pipeline, sink = stream_read_out_during_the_first_judgement([image, image, None, None])
    snapshot = ended(pipeline)
    assert sink.statuses == ["pass", "pass", "fault", "fault"]
    assert (snapshot.judged, snapshot.faulty, snapshot.dropped) == (2, 2, 0)


def test_a_late_frame_has_one_verdict_on_time_and_counts_once():
    sink = ListSink()

    def work(call: int) -> None:
        if call == 1:
            sink.wait_for(2)  # the model answers only after the watchdog has spoken

    limits = {"total": 50_000_000, "infer": 1}
    pipeline, _ = stream(FakeCamera(images(3)), FakeSession(work), sink=sink, limits=limits)
    snapshot = ended(pipeline)
    assert sorted(sink.numbers) == [0, 1, 2]
    late = sink.verdicts[sink.numbers.index(1)]
    assert late.decision.status == "late"
    assert "50 ms" in late.decision.reason
    assert late.decision.label == ""
    assert snapshot.misses == snapshot.judged == 3  # infer is over its limit on every frame
    assert snapshot.misses_by_step["infer"] == snapshot.histograms["infer"].count
    assert snapshot.balanced


def test_a_frame_that_grows_late_while_it_waits_is_not_inferred():
    sink = ListSink()

    def work(call: int) -> None:
        if call == 0:
            sink.wait_for(3)

    camera = FakeCamera(images(3), live=True)
    session = FakeSession(work)
    pipeline, _ = stream(camera, session, sink=sink, every_frame=True, limits={"total": 2 * 10**8})
    snapshot = ended(pipeline)
    assert sink.statuses == ["late"] * 3
    assert session.calls == 1
    assert snapshot.misses == 3
    assert snapshot.histograms["queue"].count == 3
    assert snapshot.histograms["total"].count == 3
    assert snapshot.balanced


def test_an_answer_after_the_deadline_is_late_even_without_the_watchdog(monkeypatch):
    monkeypatch.setattr("runtime.stream.watchdog.Watchdog.start", lambda self: None)
    session = FakeSession(lambda call: time.sleep(0.002))
    pipeline, sink = stream(FakeCamera(images(1)), session, limits={"total": 1_000_000})
    snapshot = ended(pipeline)
    assert sink.statuses == ["late"]
    assert sink.verdicts[0].decision.label == "good"
    assert snapshot.misses == 1
    assert snapshot.known == 0


def test_a_model_that_raises_gives_a_fault_and_the_stream_goes_on():
    def work(call: int) -> None:
        if call in (1, 2):
            raise RuntimeError("out of luck\nsecond line")

    pipeline, sink = stream(FakeCamera(images(5)), FakeSession(work))
    snapshot = ended(pipeline)
    assert sink.statuses == ["pass", "fault", "fault", "pass", "pass"]
    assert sink.verdicts[1].decision.reason == "RuntimeError: out of luck"
    assert (snapshot.judged, snapshot.faulty) == (3, 2)
    assert snapshot.balanced


def test_a_model_that_only_fails_ends_the_stream_with_an_error():
    def work(call: int) -> None:
        raise RuntimeError("no")

    pipeline, sink = stream(FakeCamera(images(10_000)), FakeSession(work))
    assert pipeline.wait(PATIENCE)
    with pytest.raises(EquipmentError, match=f"failed on {FAILURES_IN_A_ROW} frames in a row"):
        pipeline.finish()
    assert pipeline.ledger.snapshot().balanced
    assert len(sink.verdicts) == pipeline.ledger.snapshot().captured


def test_probabilities_that_are_no_numbers_are_a_fault():
    session = FakeSession()
    session.answer = np.array([[np.nan, 0.1]], np.float32)
    pipeline, sink = stream(FakeCamera(images(2)), session)
    assert ended(pipeline).faulty == 2
    assert sink.statuses == ["fault", "fault"]


def test_a_camera_that_breaks_off_ends_the_stream_after_the_frames_it_gave():
    camera = FakeCamera([*images(4), InputError("clip.avi ended in the middle")])
    pipeline, sink = stream(camera, FakeSession())
    assert pipeline.wait(PATIENCE)
    with pytest.raises(InputError, match="ended in the middle"):
        pipeline.finish()
    assert sink.numbers == [0, 1, 2, 3]
    assert pipeline.ledger.snapshot().balanced


def test_the_number_of_frames_is_a_limit():
    camera = FakeCamera(images(50))
    pipeline, _ = stream(camera, FakeSession(), frames=7)
    assert ended(pipeline).captured == 7
    assert camera.reads == 7


def test_stop_ends_the_stream_with_a_verdict_for_every_frame():
    sink = ListSink()
    pipeline, _ = stream(FakeCamera(images(10**6)), FakeSession(), sink=sink)
    sink.wait_for(20)
    pipeline.stop()
    snapshot = ended(pipeline)
    assert snapshot.captured == snapshot.judged == len(sink.verdicts)
    assert "fault" not in sink.statuses


def test_a_camera_that_hangs_does_not_hang_the_end():
    release = threading.Event()
    camera = FakeCamera(images(5), live=True)
    camera.before_read = lambda number: None if number < 2 else assert_waited(release)
    sink = ListSink()
    pipeline, _ = stream(camera, FakeSession(), sink=sink)
    sink.wait_for(2)
    pipeline.stop()
    snapshot = pipeline.finish()
    assert snapshot.captured == 2
    assert snapshot.balanced
    assert "the camera did not respond" in pipeline.notes[0]
    release.set()  # what it reads after the end is not counted
    assert pipeline.wait(PATIENCE)
    assert pipeline.ledger.snapshot().captured == 2


def test_a_model_that_hangs_does_not_hang_the_end():
    busy, release = threading.Event(), threading.Event()

    def work(call: int) -> None:
        busy.set()
        assert_waited(release)

    pipeline, sink = stream(FakeCamera(images(5)), FakeSession(work))
    assert busy.wait(PATIENCE)
    pipeline.stop()
    snapshot = pipeline.finish()
    assert snapshot.balanced
    assert set(sink.statuses) == {"fault"}
    assert "the model did not respond" in pipeline.notes[-1]
    count = len(sink.verdicts)
    release.set()
    assert pipeline.wait(PATIENCE)
    assert len(sink.verdicts) == count


class SeesTheInterpreter(ListSink):
    """Notes how the interpreter is tuned while the stream runs."""

    def emit(self, verdict):
        self.tuned = (
            sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S),
            gc.get_freeze_count() > 0,
        )


@pytest.mark.usefixtures("nothing_frozen")
@pytest.mark.parametrize("own_process", [True, False])
def test_the_interpreter_is_tuned_when_asked_and_left_as_it_was(own_process):
    before = sys.getswitchinterval(), gc.get_freeze_count()
    sink = SeesTheInterpreter()
    pipeline = Pipeline(
        FakeCamera(images(3)), FakeSession(), Settings(), [sink], own_process=own_process
    )
    pipeline.start()
    ended(pipeline)
    assert sink.tuned == (own_process, own_process)
    assert (sys.getswitchinterval(), gc.get_freeze_count()) == before


class RaisingSink(ListSink):
    isolated = False

    def emit(self, verdict):
        super().emit(verdict)
        raise ValueError("a bug")

    def close(self):
        raise ValueError("another bug")


def test_a_sink_that_raises_neither_ends_the_stream_nor_is_hidden():
    raising, whole = RaisingSink(), ListSink()
    pipeline = Pipeline(FakeCamera(images(50)), FakeSession(), Settings(), [raising, whole])
    pipeline.start()
    assert ended(pipeline).judged == 50
    assert len(raising.verdicts) == len(whole.verdicts) == 50
    bad, good = pipeline.sinks
    assert (bad.lost, bad.problem) == (50, "ValueError: another bug")
    assert (good.lost, good.problem) == (0, "")


def test_a_sink_that_blocks_delays_no_verdict_and_is_left_behind():
    free = threading.Event()

    class Blocking(ListSink):
        isolated = False

        def emit(self, verdict):
            free.wait(PATIENCE)

    whole = ListSink()
    blocked = IsolatedSink(Blocking(), capacity=10, close_s=0.05)
    pipeline = Pipeline(FakeCamera(images(50)), FakeSession(), Settings(), [blocked, whole])
    pipeline.start()
    assert ended(pipeline).judged == 50
    assert len(whole.verdicts) == 50
    blocked.close()
    assert blocked.lost == 49, "one is in the sink's hands"
    assert "did not respond in time" in blocked.problem
    free.set()


def assert_waited(event: threading.Event) -> None:
    assert event.wait(PATIENCE)
