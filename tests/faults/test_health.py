"""Faults of every kind, put into a line's frames: each is found, counted, and nothing else is."""

from __future__ import annotations

import threading
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.camera import Frame, open_camera
from runtime.health import OF_A_FRAME, OF_A_STREAM, HealthLimits
from runtime.stream.capture.handover import Ticket
from runtime.stream.judge import Judge
from runtime.stream.ledger import Ledger
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.rules import Rules
from tests.faults.line import (
    SHAPE,
    CollectingSink,
    QuickSession,
    ScriptedCamera,
    good_frames,
    named,
    run,
)
from tests.runtime.camera.http_camera import serving

STILL = 36
"""Copies of a frame, with noise of their own, that a camera that froze sends."""

KINDS = ("dark", "bright", "damaged", "size-changed", "repeated", "frozen")


def script_of(frames: int, every: int) -> tuple[list[NDArray[Any] | None], list[str]]:
    """Return a line's frames with faults among them, and the fault that each is to get."""
    rng = np.random.default_rng(0)
    script: list[NDArray[Any] | None] = []
    expected: list[str] = []
    for number, good in enumerate(good_frames(frames)):
        script.append(good)
        expected.append("")
        if number == 0 or number % every:
            continue
        kind = KINDS[number // every % len(KINDS)]
        if kind != "frozen":
            script.append(broken(kind, good, rng))
            expected.append(kind)
            continue
        for copy in range(STILL):
            noisy = good + rng.normal(0, 1, good.shape)
            script.append(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
            expected.append("frozen" if copy + 1 >= HealthLimits().frozen_frames else "")
    return script, expected


def broken(kind: str, good: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[Any] | None:
    """Return a frame with a fault."""
    made: dict[str, NDArray[Any] | None] = {
        "dark": rng.integers(0, 4, SHAPE, np.uint8),
        "bright": rng.integers(252, 256, SHAPE, np.uint8),
        "damaged": None,
        "size-changed": cv2.resize(good, (96, 64)),
        "repeated": good.copy(),
    }
    return made[kind]


def test_every_fault_of_a_frame_is_found_where_it_was_put():
    script, expected = script_of(600, 7)
    camera = ScriptedCamera(script)
    # All frames that a frozen camera sends count, however quickly they come here.
    snapshot, notes = run(camera, camera.sink, HealthLimits(frozen_s=0.0))
    assert [verdict.number for verdict in camera.sink.verdicts] == list(range(len(script)))
    assert named(camera.sink.verdicts) == expected
    put = {kind: expected.count(kind) for kind in KINDS}
    assert min(put.values()) >= 13
    assert {name: count for name, count in snapshot.health.items() if count} == put
    assert snapshot.faulty == sum(put.values())
    assert snapshot.captured == snapshot.judged + snapshot.faulty == len(script)
    assert (snapshot.balanced, snapshot.dropped, notes) == (True, 0, [])


def test_a_camera_that_froze_is_told_after_a_second():
    good = good_frames(1)[0]
    rng = np.random.default_rng(1)
    still = [good + rng.integers(0, 2, SHAPE, np.uint8) for _ in range(150)]
    camera = ScriptedCamera(still)
    snapshot, _ = run(camera, camera.sink, HealthLimits())
    assert named(camera.sink.verdicts) == [""] * 100 + ["frozen"] * 50  # 100 frames/s
    assert snapshot.health["frozen"] == 50


def test_two_thousand_good_frames_have_no_fault():
    camera = ScriptedCamera(good_frames(2000))
    snapshot, notes = run(camera, camera.sink, HealthLimits())
    assert (snapshot.judged, snapshot.faulty, notes) == (2000, 0, [])
    assert snapshot.health == {fault.value: 0 for fault in (*OF_A_FRAME, *OF_A_STREAM)}


def test_a_clock_that_jumps_is_counted_and_noted_once_and_changes_no_verdict():
    frames = good_frames(100)
    clock = dict.fromkeys(range(40, 70), 5.0)  # ahead at 40, back at 70
    camera = ScriptedCamera(frames, clock)
    snapshot, notes = run(camera, camera.sink, HealthLimits())
    assert (snapshot.judged, snapshot.health["clock"]) == (100, 2)
    assert [note.partition(":")[0] for note in notes] == ["clock"]


@pytest.mark.parametrize("fault", ["defocused", "drifting-light"])
def test_slow_faults_are_counted_and_noted_once_and_change_no_verdict(fault):
    good = good_frames(1200)[::4]
    bad: dict[str, list[Any]] = {
        "defocused": [cv2.GaussianBlur(image, (0, 0), 5) for image in good],
        "drifting-light": [(image * 0.2).astype(np.uint8) for image in good],
    }
    camera = ScriptedCamera([*good, *bad[fault]])
    limits = HealthLimits(slow_every=2, slow_window=100)
    snapshot, notes = run(camera, camera.sink, limits)
    assert snapshot.judged == 600
    assert {name: count for name, count in snapshot.health.items() if count} == {fault: 1}
    assert [note.partition(":")[0] for note in notes] == [fault]


def test_frames_that_come_faster_than_they_are_judged_are_an_overrun():
    frames, go_on = good_frames(40), threading.Event()

    class Slow(QuickSession):
        def _infer(self, batch):
            assert go_on.wait(60)
            return super()._infer(batch)

    camera = ScriptedCamera([*frames])
    camera.sink.verdicts = _Endless()  # it waits for nobody
    sink = CollectingSink()
    settings = Settings(health=HealthLimits(), every_frame=False)
    pipeline = Pipeline(camera, Slow(), settings, [sink])
    pipeline.start()
    while pipeline.ledger.snapshot().captured < len(frames):
        pipeline.wait(0.01)
    go_on.set()
    assert pipeline.wait(60)
    snapshot = pipeline.finish()
    assert snapshot.balanced
    assert snapshot.health["overrun"] == snapshot.dropped > 30
    assert [note.partition(":")[0] for note in pipeline.notes] == ["overrun"]


class _Endless(list[Any]):
    def __len__(self) -> int:
        return 1 << 30


def test_the_time_of_a_late_frames_check_is_counted_once():
    ledger = Ledger(("good", "bad"))

    class Late(QuickSession):
        def _infer(self, batch):
            judge.expire(ticket)  # as the watchdog does, while the model is at work
            return super()._infer(batch)

    judge = Judge(Late(), ledger, [], Rules())
    frame = Frame(0, good_frames(1)[0], 10, 20)
    ticket = Ticket(frame, 30, checked_ns=25)
    judge.judge(ticket)
    histograms = ledger.snapshot().histograms
    assert (histograms["health"].count, histograms["capture"].count) == (1, 1)
    assert histograms["health"].maximum == 5


def test_without_health_nobody_looks():
    script, expected = script_of(100, 7)
    camera = ScriptedCamera(script)
    snapshot, _ = run(camera, camera.sink, None)
    assert (snapshot.faulty, snapshot.health) == (expected.count("damaged"), {})
    assert "health" not in snapshot.histograms


def test_motion_jpeg_over_http_with_every_fault():
    script, expected = script_of(90, 4)
    rows = [row for row, kind in enumerate(expected) if kind != "frozen"]
    script, expected = [script[row] for row in rows], [expected[row] for row in rows]
    parts: list[bytes] = []
    for pixels in script:
        if pixels is None:
            parts.append(parts[-1][: len(parts[-1]) // 2])
        elif expected[len(parts)] == "repeated":
            parts.append(parts[-1])
        else:
            parts.append(cv2.imencode(".jpg", pixels)[1].tobytes())
    sink = CollectingSink()
    with serving(parts) as server, open_camera(f"http://{server.at}/stream") as camera:
        snapshot, _ = run(camera, sink, HealthLimits(), frames=len(parts))
    assert named(sink.verdicts) == expected
    put = {kind: expected.count(kind) for kind in KINDS if kind in expected}
    assert {name: count for name, count in snapshot.health.items() if count} == put
    assert snapshot.balanced
