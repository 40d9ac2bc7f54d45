"""The stream for programs: verdicts in a loop, and the same accounts."""

from __future__ import annotations

import re
import threading

import pytest

import edgecl
from runtime.errors import InputError
from runtime.stream.budget import Budget
from runtime.stream.pipeline import Settings
from runtime.stream.rules import Rules
from runtime.stream.stream import Stream
from tests.runtime.stream.test_pipeline import (
    FakeCamera,
    FakeSession,
    ListSink,
    RaisingSink,
    images,
)


def test_verdicts_come_one_after_the_other_and_the_accounts_add_up():
    with Stream(FakeCamera(images(7)), FakeSession()) as stream:
        numbers = [verdict.number for verdict in stream]
    assert numbers == list(range(7))
    assert (stream.snapshot.captured, stream.snapshot.judged, stream.missed) == (7, 7, 0)


def test_what_breaks_off_is_raised_after_the_verdicts_before_it():
    seen: list[int] = []
    camera = FakeCamera([*images(4), InputError("clip.avi ended in the middle")])
    with Stream(camera, FakeSession()) as stream, pytest.raises(InputError, match="in the middle"):
        seen.extend(verdict.number for verdict in stream)
    assert seen == [0, 1, 2, 3]


def test_answers_that_come_too_late_go_where_they_are_wanted():
    late, released = ListSink(), threading.Event()

    def work(call: int) -> None:
        if call == 1:
            assert released.wait(60)  # until its fail-safe verdict is out

    settings = Settings(Rules(Budget({"total": 50_000_000})))
    with Stream(FakeCamera(images(3)), FakeSession(work), settings, late_sink=late) as stream:
        for verdict in stream:
            if verdict.decision.late:
                released.set()
    assert stream.snapshot.late >= 1
    assert len(late.verdicts) == sum(stream.snapshot.late_answers.values()) >= 1


def test_a_loop_that_is_left_ends_the_stream():
    with Stream(FakeCamera(images(1000)), FakeSession()) as stream:
        for _ in stream:
            break
    assert stream.snapshot.captured == stream.snapshot.judged + stream.snapshot.dropped


def test_it_opens_what_it_is_given_by_name(make_bundle, tmp_path):
    bundle = make_bundle()
    with Stream("demo", bundle) as stream:
        for verdict in stream:
            assert verdict.decision.status
            break
    with pytest.raises(InputError, match="no such file"):
        Stream(str(tmp_path / "nothing"), bundle)


def test_several_cameras_are_judged_at_one_model_in_turns():
    sink, late = ListSink(), ListSink()
    cameras = {"left": FakeCamera(images(5)), "right": FakeCamera(images(8))}
    with Stream(cameras, FakeSession(), sinks=[sink], late_sink=late) as stream:
        found = [(verdict.camera, verdict.number) for verdict in stream]
    for name, frames in (("left", 5), ("right", 8)):
        assert [number for camera, number in found if camera == name] == list(range(frames))
        assert (stream.snapshots[name].judged, stream.snapshots[name].balanced) == (frames, True)
    assert {verdict.camera for verdict in sink.verdicts} == {"left", "right"}
    assert len(sink.verdicts) == 13
    with pytest.raises(ValueError, match="use snapshots"):
        assert stream.snapshot


def test_a_camera_that_breaks_off_ends_alone_and_is_raised_at_the_end():
    broken = FakeCamera([*images(2), InputError("clip.avi ended in the middle")])
    cameras = {"left": broken, "right": FakeCamera(images(30))}
    seen: list[str] = []
    with Stream(cameras, FakeSession()) as stream, pytest.raises(InputError, match="in the middle"):
        seen.extend(verdict.camera for verdict in stream)
    assert (seen.count("left"), seen.count("right")) == (2, 30)
    assert list(stream.failures) == ["left"]


def test_workers_judge_at_the_same_time_and_keep_the_order():
    together = threading.Barrier(2, timeout=60)

    def work(call: int) -> None:
        if call == 0:
            together.wait()  # only two sessions at work get past it

    with Stream(FakeCamera(images(20)), [FakeSession(work), FakeSession(work)]) as stream:
        assert [verdict.number for verdict in stream] == list(range(20))
    assert len(stream.sessions) == 2


def test_a_model_is_opened_for_each_worker(make_bundle):
    bundle = make_bundle()
    for source in (bundle, bundle / "model.fp32.onnx"):
        with Stream("demo", source, workers=2) as stream:
            for verdict in stream:
                assert verdict.decision.status
                break
        first, second = stream.sessions
        assert first is not second
        assert first.describe() == second.describe()


@pytest.mark.parametrize(
    ("camera", "session", "workers", "words"),
    [
        ({}, [FakeSession()], None, "a stream without a camera"),
        ({"left": FakeCamera([])}, [], None, "0 open session(s) for 1 worker(s)"),
        (FakeCamera([]), FakeSession(), 2, "1 open session(s) for 2 worker(s)"),
        (FakeCamera([]), "line.edgecl", 0, "0 workers"),
    ],
)
def test_what_cannot_be_a_stream_is_told(camera, session, workers, words):
    with pytest.raises(InputError, match=re.escape(words)):
        Stream(camera, session, workers=workers)


def test_the_package_gives_its_public_names_when_they_are_used():
    assert edgecl.Stream is Stream
    assert set(edgecl.__all__) <= set(dir(edgecl))
    assert all(getattr(edgecl, name) for name in edgecl.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Steam'"):
        edgecl.Steam  # noqa: B018


def test_what_goes_wrong_is_in_the_log_of_a_program(caplog):
    camera = FakeCamera([*images(2), InputError("clip.avi ended in the middle")])
    with caplog.at_level("INFO", logger="edgecl"), Stream(camera, FakeSession()) as stream:
        stream.close()
    logged = {(record.name, record.getMessage()) for record in caplog.records}
    assert ("edgecl.stream", "judging fake") in logged
    assert all(name.startswith("edgecl.") for name, _ in logged)


def test_a_sink_that_fails_alike_again_and_again_is_logged_once(caplog):
    with Stream(FakeCamera(images(9)), FakeSession(), sinks=[RaisingSink()]) as stream:
        assert len(list(stream)) == 9
    sinks = [record for record in caplog.records if record.name == "edgecl.sinks"]
    assert [record.getMessage() for record in sinks] == [
        "sink RaisingSink: ValueError: a bug",
        "sink RaisingSink: ValueError: another bug",
    ]
