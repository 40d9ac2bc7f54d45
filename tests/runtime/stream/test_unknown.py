"""Frames that are like nothing in training: a verdict for one, an alarm for many."""

from __future__ import annotations

import json
import logging
import math

import msgspec
import numpy as np
import pytest

from runtime.health import HealthLimits
from runtime.novelty import Novelty, TrainingSpace, novelty_beside
from runtime.novelty.drift import EVERY, WINDOW
from runtime.session.base import Outputs
from runtime.session.opening import open_session
from runtime.stream.rules import Debounce, recognised
from runtime.stream.verdict import Decision, Status
from tests.novelty import add_novelty
from tests.runtime.stream.test_pipeline import FakeCamera, FakeSession, ended, images, stream


def on_a_line(size: int) -> TrainingSpace:
    """A space whose only distance is along the first of `size` numbers."""
    along = np.eye(size, 1, dtype=np.float32)
    point = np.zeros((1, 1), np.float32)
    return TrainingSpace(np.zeros(size, np.float32), along, point, along * 0)


def line_of_known(*forms: str) -> Novelty:
    """Training images at 0 of one coordinate, with the limit at 2."""
    space = on_a_line(4)
    names = forms or ("fp32",)
    ascending = np.linspace(0, 2, 200, dtype=np.float32)
    return Novelty(space, dict.fromkeys(names, 2.0), dict.fromkeys(names, ascending))


class PlacedSession(FakeSession):
    """Answers `good` or `bad`, at places on the line."""

    def __init__(self, places, answers=()) -> None:
        super().__init__()
        self._places = list(places)
        self._answers = list(answers)

    def _infer(self, batch):
        place = self._places[self.calls]
        good = self._answers[self.calls] if self._answers else 0.9
        self.calls += 1
        found = np.array([[good, 1 - good]], np.float32)
        return Outputs(found, np.array([[place, 9, 9, 9]], np.float32))


def judged(places, answers=(), **settings):
    settings = {"novelty": line_of_known(), **settings}
    session = PlacedSession(places, answers)
    pipeline, sink = stream(FakeCamera(images(len(session._places))), session, **settings)
    return ended(pipeline), sink, pipeline


def test_a_frame_beyond_the_limit_is_unknown_whatever_its_label():
    snapshot, sink, _ = judged([0, 1.9, 2.0, 2.1, 50, 50], [0.9, 0.9, 0.9, 0.9, 0.1, 0.6])
    assert sink.statuses == ["pass", "pass", "pass", "unknown", "unknown", "unknown"]
    assert snapshot.statuses["unknown"] == 3
    assert (snapshot.judged, snapshot.faulty) == (6, 0)
    assert snapshot.balanced
    decision = sink.verdicts[4].decision
    assert (decision.label, decision.distance) == ("bad", 25)
    assert decision.reason == "25.00 times as far from the training images as the limit"
    assert decision.answer is None


def test_without_a_limit_no_frame_is_unknown():
    snapshot, sink, _ = judged([0, 50], novelty=None)
    assert sink.statuses == ["pass", "pass"]
    assert snapshot.statuses["unknown"] == 0
    assert sink.verdicts[1].decision.distance is None
    assert "distance" not in line_of(sink.verdicts[1])


def line_of(verdict):
    return json.loads(msgspec.json.encode(verdict.line()))


def test_each_line_has_the_distance():
    _, sink, _ = judged([1.00004, 3])
    assert [line_of(verdict)["distance"] for verdict in sink.verdicts] == [0.5, 1.5]
    assert line_of(sink.verdicts[1])["status"] == "unknown"


def test_a_form_of_which_nothing_is_known_gives_no_distance():
    _, sink, _ = judged([50], novelty=line_of_known("int8"))
    assert sink.statuses == ["pass"]


def test_an_unknown_frame_never_passes_by_debounce_and_is_no_reject_for_it():
    snapshot, sink, _ = judged(
        [0, 50, 0, 50, 0], [0.1, 0.1, 0.1, 0.9, 0.9], debounce=Debounce(2, 2)
    )
    # The first and the third are lone rejects: what stands between is none.
    assert sink.statuses == ["pass", "unknown", "pass", "unknown", "pass"]
    assert snapshot.held_back == 2


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_embedding_that_is_no_number_is_a_fault(value, recwarn):
    snapshot, sink, _ = judged([value, 0])
    assert not recwarn.list
    assert sink.statuses == ["fault", "pass"]
    assert sink.verdicts[0].decision.reason == "the model returned a NaN or infinite embedding"
    assert snapshot.balanced


def test_a_session_that_returns_other_embeddings_gives_faults():
    novelty = line_of_known()
    other = Novelty(on_a_line(7), novelty.limits, novelty.distances)
    _, sink, _ = judged([0], novelty=other)
    assert sink.statuses == ["fault"]


@pytest.mark.parametrize(
    ("distance", "above", "status"),
    [
        (1.0, 1.0, Status.PASS),
        (1.001, 1.0, Status.UNKNOWN),
        (1.4, 1.5, Status.PASS),
        (0.4, 0.3, Status.UNKNOWN),
        (None, 1.0, Status.PASS),
    ],
)
def test_the_rule(distance, above, status):
    decision = recognised(Decision(Status.PASS, "clean", 0.9), distance, above)
    assert (decision.status, decision.distance) == (status, distance)
    assert decision.label == "clean"


def test_a_fault_stays_one():
    fault = Decision(Status.FAULT, reason="damaged")
    assert recognised(fault, 9.0, 1.0) is fault


HEALTHY = HealthLimits(dark_below=0, black_above=2, frozen_frames=10**9)
"""Limits that the test's black frames keep."""


def test_many_far_frames_are_a_fault_of_the_stream_told_once(caplog):
    count = EVERY * WINDOW
    with caplog.at_level(logging.WARNING, "edgecl.stream"):
        snapshot, sink, pipeline = judged([1.9] * (count + 500), health=HEALTHY)
    assert set(sink.statuses) == {"pass"}
    assert snapshot.health["unfamiliar"] == 1
    (note,) = [note for note in pipeline.notes if note.startswith("unfamiliar")]
    assert "100 of 100 frames are farther from the training images" in note
    assert [record.message for record in caplog.records] == [note]


def test_near_frames_give_no_alarm_and_it_is_said_that_one_is_looked_for():
    snapshot, _, pipeline = judged([0.5] * (EVERY * WINDOW + 10), health=HEALTHY)
    assert snapshot.health["unfamiliar"] == 0
    assert pipeline.notes == []
    assert "unfamiliar" not in judged([0], novelty=None, health=HEALTHY)[0].health
    assert judged([0])[0].health == {}


def test_a_bundles_frames_on_the_line(make_bundle):
    folder = add_novelty(make_bundle())
    frames = [np.full((32, 48), value, np.uint8) for value in (40, 85, 128, 170, 215)]
    with open_session(folder, engine="onnxruntime", threads=1) as session:
        pipeline, sink = stream(FakeCamera(frames), session, novelty=novelty_beside(folder))
        ended(pipeline)
    assert sink.statuses == ["reject", "unknown", "reject", "unknown", "pass"]
