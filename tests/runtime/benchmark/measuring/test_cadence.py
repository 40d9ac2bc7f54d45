"""Frames at a line's rate, through the stream's own pipeline."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest

from runtime.artifact.bundle import load_bundle
from runtime.benchmark.frames import draw_frames
from runtime.benchmark.measuring.cadence import AtCadence, DueCamera
from runtime.benchmark.measuring.in_turn import FIRST_FRAMES, WAIT
from runtime.benchmark.planning import Plan
from runtime.benchmark.scenario import Scenario
from runtime.benchmark.sides import TOTAL, Side
from runtime.errors import EdgeclError

FRAMES = draw_frames(40, 60, seed=0)


@pytest.fixture
def side(make_bundle):
    opened = Side(Plan("tiny", load_bundle(make_bundle()), "fp32", "onnxruntime"), threads=1)
    yield opened
    opened.close()


def test_no_two_frames_of_the_camera_are_alike_and_late_ones_keep_their_moments():
    camera = DueCamera(FRAMES, 10_000.0)
    camera.run()
    frames = [frame for _ in range(40) if (frame := camera.read()) is not None]
    assert len({frame.pixels.tobytes() for frame in frames if frame.pixels is not None}) == 40
    delays = np.array([frame.delay_ns for frame in frames])
    due = np.array([frame.start_ns for frame in frames]) - delays
    assert np.abs(np.diff(due) - 100_000).max() <= 1
    assert delays.min() >= 0


def test_a_camera_that_waits_is_ended_by_close():
    camera = DueCamera(FRAMES, 1.0)
    found = []
    reader = threading.Thread(target=lambda: found.append(camera.read()))
    reader.start()
    camera.run()
    camera.pause()
    camera.close()
    reader.join(5)
    assert found == [None]


def test_the_steps_are_those_of_a_stream_and_count_from_the_frames_moment(side, tmp_path):
    line = AtCadence(side, FRAMES, 500.0, tmp_path / "verdicts.jsonl")
    try:
        first, second = line.ask(20, 0), line.ask(20, 1)
    finally:
        line.close()
    for turn in (first, second):
        steps = turn.times
        assert {WAIT, "capture", "health", "queue", "infer", "age", "emit", TOTAL} <= set(steps)
        assert all(len(times) == 20 for times in steps.values())
        assert (steps[TOTAL] == steps["age"] + steps["emit"]).all()
        assert turn.late is not None
        assert (turn.late == steps[WAIT]).all()
        assert turn.faults == 0
    assert second.starts[0] > first.starts[-1]
    lines = (tmp_path / "verdicts.jsonl").read_text().splitlines()
    assert len(lines) >= 2 * (FIRST_FRAMES + 20)  # the first sink took them all
    assert {json.loads(line)["status"] for line in lines} <= {"pass", "reject", "unsure"}


def test_a_model_that_fails_ends_the_measurement_with_its_reason(side, tmp_path, monkeypatch):
    def fail(batch):
        raise RuntimeError("the device is gone")

    monkeypatch.setattr(side.session, "infer", fail)
    monkeypatch.setattr("runtime.stream.judge.FAILURES_IN_A_ROW", 3)
    line = AtCadence(side, FRAMES, 500.0, tmp_path / "verdicts.jsonl")
    try:
        with pytest.raises(EdgeclError, match="the device is gone"):
            line.ask(500, 0)
    finally:
        line.close()


def test_several_workers_judge_frames_at_the_same_time(make_bundle, tmp_path):
    plan = Plan("tiny", load_bundle(make_bundle()), "fp32", "onnxruntime", 1, workers=2)
    side = Side(plan, threads=3)
    assert plan.label == "tiny fp32 onnxruntime 1 thread 2 workers"
    line = AtCadence(side, FRAMES, 500.0, tmp_path / "verdicts.jsonl")
    try:
        turn = line.ask(20, 0)
        assert len([one for one in threading.enumerate() if one.name.startswith("judge")]) == 2
    finally:
        line.close()
        side.close()
    assert "turn" in turn.times  # the wait for a session
    assert (turn.faults, side.describe().workers, side.describe().threads) == (0, 2, 1)


@pytest.mark.parametrize(
    ("given", "shares"),
    [
        ({}, [(None, None)]),
        ({"worker_counts": (2,)}, [(3, 2)]),
        ({"worker_counts": (1, 3)}, [(7, 1), (2, 3)]),
        ({"worker_counts": (1, 3), "threads": 4}, [(None, 1), (None, 3)]),
        ({"thread_counts": (1, 8)}, [(1, None), (8, None)]),
        ({"thread_counts": (1, 8), "worker_counts": (1, 2)}, [(1, 1), (8, 1), (1, 2)]),
    ],
)
def test_workers_share_the_cores_as_in_a_stream(make_bundle, monkeypatch, given, shares):
    monkeypatch.setattr("runtime.benchmark.scenario.default_threads", lambda: 8)
    scenario = Scenario(
        (make_bundle(),), engines=("onnxruntime",), kind="cadence", rate_hz=30.0, **given
    )
    assert [(plan.threads, plan.workers) for plan in scenario.plans()] == shares
    assert scenario.usual_threads == given.get("threads", 7)
