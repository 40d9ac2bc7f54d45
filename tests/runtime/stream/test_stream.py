"""The stream for programs: verdicts in a loop, and the same accounts."""

from __future__ import annotations

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
