"""What the live page keeps of a stream, and what it tells of it."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from runtime.camera.base import Frame
from runtime.camera.demo import DemoCamera
from runtime.health import HealthLimits
from runtime.serving.live import source
from runtime.serving.live.source import LiveSource, ShownStream, reduced
from runtime.serving.live.state import COURSE, MOST_REJECTS, Ask
from runtime.serving.live.window import CameraWindow
from runtime.session import open_session
from runtime.stream.budget import Budget
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.rules import Rules
from runtime.stream.sinks import JsonLinesSink
from runtime.stream.verdict import Decision, Status, Verdict

LEVEL = np.full((40, 60), 100, np.uint8)


def frame(number: int, pixels=LEVEL, **changes) -> Frame:
    return Frame(number, pixels, 0, 0, **changes)


def verdict(number: int, status: Status = Status.PASS) -> Verdict:
    return Verdict.of(frame(number), time.monotonic_ns(), Decision(status, "dark", 0.9), {})


def filled(statuses: list[Status], window: CameraWindow | None = None) -> CameraWindow:
    window = window or CameraWindow()
    for number, status in enumerate(statuses):
        window.take(frame(number), verdict(number, status))
    return window


def test_it_copies_nothing_and_knows_the_newest():
    window = filled([Status.PASS, Status.REJECT, Status.PASS])
    assert window.newest is not None
    newest, kept = window.newest
    assert newest.number == 2
    assert kept is not None
    assert kept.pixels is LEVEL
    assert window.noticed is not None
    assert window.noticed.number == 1
    assert window.course == "prp"


def test_it_stays_small_however_long_it_runs():
    window = filled([Status.REJECT] * 500)
    assert [kept.number for kept in window.kept] == list(range(499, 499 - MOST_REJECTS, -1))
    assert len(window.rejects) == MOST_REJECTS
    assert len(window.course) == COURSE


def test_large_frames_are_let_go_but_the_newest():
    window = filled([Status.REJECT] * 5, CameraWindow(most_bytes=2 * LEVEL.nbytes))
    assert [kept.number for kept in window.kept] == [4, 3]
    window = filled([Status.REJECT] * 5, CameraWindow(most_bytes=1))
    assert [kept.number for kept in window.kept] == [4]
    assert len(window.rejects) == 5


def test_damaged_frames_take_no_place_among_the_images():
    window = filled([Status.REJECT])
    for number in range(1, 20):
        window.take(frame(number, None, fault="dark: x"), verdict(number, Status.FAULT))
    assert [kept.number for kept in window.kept] == [0]
    assert [seen.number for seen in window.rejects] == [0]
    assert window.noticed is not None
    assert window.noticed.decision.status is Status.FAULT


@pytest.mark.parametrize("shape", [(40, 60), (3000, 4000), (1, 9_000_000), (4000, 3000, 3)])
def test_large_images_are_thinned_out(shape):
    found = reduced(np.zeros(shape, np.uint16))
    assert found.flags.c_contiguous
    assert found.shape[0] * found.shape[1] <= source.MOST_PIXELS
    assert found.shape[0] * found.shape[1] > source.MOST_PIXELS / 5 or found.shape == shape
    assert found.ndim == len(shape)


@pytest.fixture
def judged(make_bundle, tmp_path):
    """A stream of the demo line that has ended, and the source that watched it."""
    camera = DemoCamera((64, 96), fps=None, frames=60)
    window = CameraWindow()
    file = JsonLinesSink(tmp_path / "verdicts.jsonl")
    with open_session(make_bundle(), engine="onnxruntime") as session:
        rules = Rules(Budget({"total": 10**12}))
        pipeline = Pipeline(
            camera,
            session,
            Settings(rules, health=HealthLimits()),
            [file],
            on_verdict=window.take,
        )
        watched = LiveSource("tiny.edgecl", "fp32", "4711", [file])
        watched.watch(ShownStream("", pipeline, camera, window, file))
        assert watched.state().cameras[0].state == "waiting"
        pipeline.start()
        assert pipeline.wait(60)
        pipeline.finish()
    file.close()
    return watched, pipeline, window


def test_the_state_is_that_of_the_accounts(judged):
    watched, pipeline, _ = judged
    state = watched.state()
    (camera,) = state.cameras
    snapshot = pipeline.ledger.snapshot()
    assert (state.title, state.lot, state.ended) == ("tiny.edgecl", "4711", True)
    assert camera.state == "ended"
    assert (camera.captured, camera.judged) == (60, snapshot.judged)
    assert camera.statuses == snapshot.statuses
    assert len(camera.course) == 60
    assert camera.health == snapshot.health
    steps = {step.step: step for step in camera.steps}
    assert steps["total"].limit_ms == 1e6
    assert steps["infer"].limit_ms is None
    assert steps["total"].p99_ms == pytest.approx(
        snapshot.histograms["total"].percentile(0.99) / 1e6
    )
    assert camera.newest is not None
    assert (camera.newest.frame, camera.newest.size) == (59, (96, 64))
    assert camera.verdicts.written == 60


def test_pixels_are_sent_once(judged):
    watched, _, window = judged
    told, arrays = watched.answer(Ask(held={}))
    assert next(image.frame for image in told.images) == 59
    assert np.array_equal(arrays[0], window.newest[1].pixels)
    held = {"": [image.frame for image in told.images]}
    again, more = watched.answer(Ask(held=held))
    assert not {image.frame for image in again.images} & set(held[""])
    assert len(again.images) == len(more) <= source.AT_ONCE


def test_a_failure_is_told_without_the_password(judged, monkeypatch):
    watched, pipeline, _ = judged
    pipeline._failure = RuntimeError("rtsp://admin:hunter2@camera/ is gone")
    (camera,) = watched.state().cameras
    assert camera.state == "failed"
    assert "hunter2" not in camera.problem


def test_a_lost_camera_is_told(judged, monkeypatch):
    watched, pipeline, _ = judged
    monkeypatch.setattr(DemoCamera, "away", property(lambda self: True))
    monkeypatch.setattr(pipeline, "wait", lambda timeout_s: False)
    assert watched.state().cameras[0].state == "lost"


def test_late_frames_keep_their_answer():
    window = CameraWindow()
    said = verdict(0, Status.REJECT)
    late = replace(
        said, decision=replace(said.decision, status=Status.LATE, answer=Status.REJECT, late=True)
    )
    window.take(frame(0), late)
    assert window.course == "l"
    assert window.rejects == [late]


def test_an_answer_is_given_just_after_a_verdict():
    window = CameraWindow()
    spoken = threading.Event()
    window.notify(spoken)
    assert not spoken.is_set()
    window.take(frame(0), verdict(0))
    assert spoken.is_set()
    spoken.clear()
    window.take(frame(1), verdict(1))
    assert not spoken.is_set()
