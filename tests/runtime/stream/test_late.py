"""Verdicts that cannot be made in time: what goes out, and what is recorded."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.stream.rules import ON_LATE, Debounce
from runtime.stream.verdict import Status
from tests.runtime.stream.test_pipeline import (
    FakeCamera,
    FakeSession,
    ListSink,
    ended,
    images,
    stream,
)

LIMIT_NS = 50_000_000


def late_stream(on_late: Status, answer: tuple[float, float] = (0.9, 0.1), **settings):
    """Three frames, of which the model answers the second after the watchdog has spoken."""
    sink, answers = ListSink(), ListSink()
    session = FakeSession()
    session.answer = np.array([answer], np.float32)

    def work(call: int) -> None:
        if call == 1:
            sink.wait_for(2)

    session._work = work
    camera = FakeCamera(images(3))
    camera.before_read = lambda number: sink.wait_for(number)  # none waits while another is judged
    pipeline, _ = stream(
        camera,
        session,
        sink=sink,
        late_sink=answers,
        limits={"total": LIMIT_NS},
        on_late=on_late,
        **settings,
    )
    return ended(pipeline), sink, answers


@pytest.mark.parametrize("on_late", ON_LATE)
def test_the_fail_safe_status_goes_out_and_the_answer_is_recorded(on_late):
    snapshot, sink, answers = late_stream(on_late)
    assert sink.numbers == [0, 1, 2]
    line = sink.verdicts[1].line()
    assert (line.status, line.late, line.label) == (on_late, True, None)
    assert line.reason == "no verdict within 50 ms"
    assert sum(verdict.decision.late for verdict in sink.verdicts) == snapshot.late
    # Counted as a miss whatever went out, and not as an answer that is right or wrong.
    assert snapshot.misses == snapshot.late >= 1
    assert snapshot.judged == 3
    assert snapshot.known == 3 - snapshot.late
    assert sum(snapshot.statuses.values()) == 3
    assert snapshot.balanced
    # What the model said afterwards.
    answer = answers.verdicts[0].line()
    assert (answer.frame, answer.status, answer.late, answer.label) == (1, "pass", True, "good")
    assert answer.steps_ns["total"] > line.steps_ns["total"]
    assert snapshot.late_answers == {"pass": len(answers.verdicts)}


def test_the_watchdog_speaks_by_the_deadline_with_any_policy():
    _, sink, _ = late_stream(Status.REJECT)
    spoken = sink.verdicts[1]
    assert spoken.decision.status is Status.REJECT
    assert spoken.steps["total"] > 0.9 * LIMIT_NS


def test_an_answer_that_the_judge_brings_too_late_stays_in_the_line(monkeypatch):
    monkeypatch.setattr("runtime.stream.watchdog.Watchdog.start", lambda self: None)
    session = FakeSession()
    pipeline, sink = stream(
        FakeCamera(images(1)), session, limits={"total": 1}, on_late=Status.REJECT
    )
    snapshot = ended(pipeline)
    line = sink.verdicts[0].line()
    assert (line.status, line.late, line.answer, line.label) == ("reject", True, "pass", "good")
    assert (snapshot.late, snapshot.misses, snapshot.held_back) == (1, 1, 0)


def test_a_damaged_frame_is_a_fault_with_any_policy():
    pipeline, sink = stream(
        FakeCamera([None]), FakeSession(), limits={"total": 1}, on_late=Status.PASS
    )
    assert ended(pipeline).late == 0
    assert sink.statuses == ["fault"]


def test_a_late_reject_is_one_of_the_last_m_by_the_answer_that_came():
    snapshot, sink, answers = late_stream(Status.PASS, answer=(0.1, 0.9), debounce=Debounce(2, 3))
    assert sink.statuses[:2] == ["pass", "pass"]
    if snapshot.late == 1:
        assert sink.statuses[2] == "reject"
    assert answers.verdicts[0].decision.status is Status.REJECT
    assert snapshot.held_back == 1
