"""Images while frames are judged: no verdict waits for them, and late ones have theirs too."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from runtime.stream.budget import Budget
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.rules import Rules
from runtime.stream.sinks import Sink, open_sink
from runtime.stream.sinks.base import observing
from runtime.stream.sinks.images import sink as module
from runtime.stream.sinks.images.record import ImageRecord, read_image_record
from runtime.stream.station.naming import NamingSink
from tests.runtime.stream.test_pipeline import FakeCamera, FakeSession, ListSink, ended, images

PATIENCE = 20.0


def rejecting(work: Callable[[int], None] = lambda call: None) -> FakeSession:
    session = FakeSession(work)
    session.answer = np.array([[0.1, 0.9]], np.float32)
    return session


def kept_in(folder: Path, options: str = "cooldown=0s") -> Sink:
    return open_sink(f"images:images?{options}", folder, ("good", "bad"))


def records(folder: Path) -> list[ImageRecord]:
    return [read_image_record(path) for path in sorted(folder.glob("images/*/*.json"))]


def test_no_verdict_waits_for_an_image(tmp_path, monkeypatch):
    gate = threading.Event()

    def png(pixels):
        assert gate.wait(PATIENCE)
        return b"png"

    monkeypatch.setattr(module, "png_of", png)
    sink, verdicts = kept_in(tmp_path), ListSink()
    pipeline = Pipeline(FakeCamera(images(200)), rejecting(), Settings(), [verdicts, sink])
    pipeline.start()
    snapshot = ended(pipeline)  # all of them, with not one image written yet
    assert verdicts.numbers == list(range(200))
    assert snapshot.statuses["reject"] == 200
    assert sink.counts["written"] == 0
    gate.set()
    sink.close()
    assert sink.counts["written"] + sink.lost == 200


def test_images_have_the_probabilities_of_their_verdicts(tmp_path):
    sink = kept_in(tmp_path)
    pipeline = Pipeline(FakeCamera([*images(3), None]), rejecting(), Settings(), [sink])
    pipeline.start()
    ended(pipeline)
    sink.close()
    assert [record.verdict.frame for record in records(tmp_path)] == [0, 1, 2]
    assert records(tmp_path)[0].probabilities == {"good": 0.1, "bad": 0.9}


def test_a_frame_without_a_verdict_by_its_deadline_is_kept(tmp_path):
    spoken = ListSink()
    session = rejecting(lambda call: spoken.wait_for(1) if call == 0 else None)
    sink = kept_in(tmp_path, "status=late&cooldown=0s&sample=0")
    rules = Rules(Budget({"total": 50_000_000}))
    camera = FakeCamera(images(1))
    pipeline = Pipeline(camera, session, Settings(rules), [spoken, sink])
    pipeline.start()
    ended(pipeline)
    sink.close()
    (record,) = records(tmp_path)
    assert (record.policy, record.verdict.late, record.probabilities) == ("late", True, {})


def test_several_workers_keep_every_reject(tmp_path):
    from runtime.stream.sharing.pool import SessionPool

    sink = kept_in(tmp_path, "cooldown=0s&before=2&after=2")
    session = SessionPool([rejecting(), rejecting()]).for_camera("camera")
    pipeline = Pipeline(FakeCamera(images(40)), session, Settings(), [sink], workers=2)
    pipeline.start()
    ended(pipeline)
    sink.close()
    assert sink.counts["written"] + sink.lost == 40


def test_who_takes_frames_is_handed_them_and_nobody_else():
    seen: list[str] = []

    class Taking(ListSink):
        takes_frames = True

        def observe(self, frame, verdict):
            seen.append(f"{verdict.camera}/{frame.number}")

    assert observing([ListSink()]) is None
    pipeline = Pipeline(
        FakeCamera([*images(1), None]),
        FakeSession(),
        Settings(),
        [ListSink(), NamingSink(ListSink(), "left"), NamingSink(Taking(), "left"), Taking()],
        on_verdict=lambda frame, verdict: seen.append(f"more/{frame.number}"),
    )
    pipeline.start()
    ended(pipeline)
    assert seen == ["left/0", "/0", "more/0", "left/1", "/1", "more/1"]
