"""Several workers on one stream: verdicts in order, accounts exact. Models wait for events."""

from __future__ import annotations

import random
import threading

import numpy as np
import pytest

from runtime.errors import SessionLostError
from runtime.session.base import Outputs, Session
from runtime.stream.budget import Budget
from runtime.stream.capture.handover import Handover, Ticket
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.rules import Debounce, Rules
from runtime.stream.sharing.pool import SessionPool
from runtime.stream.sharing.succession import Succession
from tests.runtime.stream.test_pipeline import (
    PATIENCE,
    FakeCamera,
    FakeSession,
    ListSink,
    assert_waited,
    ended,
    images,
)


def numbered(count: int) -> list[object]:
    """Frames whose pixels are their number."""
    return [np.full((16, 16), number, np.uint8) for number in range(count)]


class Numbered(FakeSession):
    """Calls `work` with the number of the frame that it sees."""

    def _infer(self, batch):
        self.calls += 1
        self._work(int(batch[0, 0, 0, 0]))
        return Outputs(self.answer, np.zeros((1, 4), np.float32))


def stream(camera, sessions: list[Session], *, sink: ListSink | None = None, **rules):
    sink = sink or ListSink()
    late_sink = rules.pop("late_sink", None)
    pipeline = Pipeline(
        camera,
        SessionPool(sessions).for_camera(""),
        Settings(Rules(Budget(rules.pop("limits", {})), 0.5, **rules)),
        [sink],
        grace_s=0.2,
        late_sink=late_sink,
        workers=len(sessions),
    )
    pipeline.start()
    return pipeline, sink


def test_two_frames_are_judged_at_the_same_time_and_go_out_in_order():
    second = threading.Event()

    def work(number: int) -> None:
        if number == 0:
            assert_waited(second)  # the second frame is answered first
        if number == 1:
            second.set()

    pipeline, sink = stream(FakeCamera(numbered(40)), [Numbered(work), Numbered(work)])
    snapshot = ended(pipeline)
    assert sink.numbers == list(range(40))
    assert snapshot.judged == 40
    assert snapshot.balanced
    assert snapshot.histograms["turn"].count == 40


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_frames_that_take_any_time_stay_in_order_and_are_counted_once(workers):
    rng = random.Random(workers)
    sleeps = [rng.choice([0.0, 0.0005, 0.002]) for _ in range(200)]

    def work(number: int) -> None:
        threading.Event().wait(sleeps[number])
        if number % 17 == 5:
            raise RuntimeError("out of luck")

    frames = [None if number % 23 == 7 else frame for number, frame in enumerate(numbered(200))]
    pipeline, sink = stream(FakeCamera(frames), [Numbered(work) for _ in range(workers)])
    snapshot = ended(pipeline)
    assert sink.numbers == list(range(200))
    faults = {n for n in range(200) if n % 23 == 7 or n % 17 == 5}
    assert {n for n, status in enumerate(sink.statuses) if status == "fault"} == faults
    assert (snapshot.captured, snapshot.faulty) == (200, len(faults))
    assert snapshot.balanced


def test_a_frame_that_is_late_holds_no_other_up_and_comes_before_them():
    sink, late = ListSink(), ListSink()

    def work(number: int) -> None:
        if number == 1:
            sink.wait_for(6)  # all others are out before it is answered

    camera = FakeCamera(numbered(6))
    camera.before_read = lambda number: None if number < 2 else sink.wait_for(2)
    pipeline, _ = stream(
        camera,
        [Numbered(work), Numbered(work)],
        sink=sink,
        late_sink=late,
        limits={"total": 100_000_000},
        debounce=Debounce(1, 2),
    )
    snapshot = ended(pipeline)
    assert sink.numbers == list(range(6))
    assert sink.statuses[1] == "late"
    assert 1 in late.numbers
    assert snapshot.late == sink.statuses.count("late")
    assert snapshot.balanced


def test_debounce_sees_the_frames_in_their_order():
    first = threading.Event()

    def session() -> Numbered:
        made = Numbered()

        def work(number: int) -> None:
            if number == 0:
                assert_waited(first)
            if number == 1:
                first.set()
            reject = number in (1, 4, 5)
            made.answer = np.array([[0.1, 0.9] if reject else [0.9, 0.1]], np.float32)

        made._work = work
        return made

    pipeline, sink = stream(
        FakeCamera(numbered(7)), [session(), session()], debounce=Debounce(2, 2)
    )
    snapshot = ended(pipeline)
    assert sink.statuses == ["pass"] * 5 + ["reject", "pass"]
    assert snapshot.held_back == 2


def test_a_session_that_is_lost_ends_the_stream_with_a_verdict_for_every_frame():
    def work(number: int) -> None:
        if number >= 3:
            raise SessionLostError("the GPU is gone", hint="look at it")

    pipeline, sink = stream(FakeCamera(numbered(200)), [Numbered(work), Numbered(work)])
    assert pipeline.wait(PATIENCE)
    with pytest.raises(SessionLostError):
        pipeline.finish()
    snapshot = pipeline.ledger.snapshot()
    assert snapshot.balanced
    assert snapshot.captured == len(sink.verdicts) < 200
    assert sink.numbers == list(range(snapshot.captured))


def test_a_worker_that_hangs_does_not_hang_the_end():
    release, busy = threading.Event(), threading.Event()

    def work(number: int) -> None:
        if number == 2:
            busy.set()
            assert_waited(release)

    pipeline, sink = stream(FakeCamera(numbered(50)), [Numbered(work), Numbered(work)])
    assert busy.wait(PATIENCE)
    pipeline.stop()
    snapshot = pipeline.finish()
    assert snapshot.balanced
    assert sink.numbers == list(range(snapshot.captured))
    assert "the model did not respond" in pipeline.notes[-1]
    count = len(sink.verdicts)
    release.set()
    assert pipeline.wait(PATIENCE)
    assert len(sink.verdicts) == count


def test_every_worker_takes_part():
    both = threading.Barrier(2)

    def work(number: int) -> None:
        if number < 2:
            both.wait(PATIENCE)

    sessions: list[Session] = [Numbered(work), Numbered(work)]
    pipeline, _ = stream(FakeCamera(numbered(20)), sessions)
    assert ended(pipeline).judged == 20


def test_a_worker_that_is_ahead_judges_on_and_its_verdicts_go_out_in_order():
    third = threading.Event()

    def work(number: int) -> None:
        if number == 0:
            assert_waited(third)  # the other worker leaves its verdict about the second frame
        if number == 2:
            third.set()

    pipeline, sink = stream(FakeCamera(numbered(40)), [Numbered(work), Numbered(work)])
    assert ended(pipeline).judged == 40
    assert sink.numbers == list(range(40))


def test_a_worker_that_hangs_leaves_what_the_other_had_judged_to_the_end():
    release, ahead = threading.Event(), threading.Event()

    def work(number: int) -> None:
        if number == 3:
            ahead.set()
        if number == 1:
            assert_waited(release)

    pipeline, sink = stream(FakeCamera(numbered(50)), [Numbered(work), Numbered(work)])
    assert ahead.wait(PATIENCE)
    pipeline.stop()
    snapshot = pipeline.finish()
    release.set()
    assert snapshot.balanced
    assert sink.numbers == list(range(snapshot.captured))
    # Two verdicts wait for the second frame's: then nobody takes another frame.
    assert sink.statuses[:4] == ["pass", "fault", "pass", "pass"]
    assert {*sink.statuses[4:]} <= {"fault"}


@pytest.mark.parametrize(("limits", "read"), [({}, 2 + 6), ({"total": 60_000_000_000}, 2 + 2)])
def test_stored_frames_wait_for_workers_unless_a_deadline_runs(limits, read):
    release, full = threading.Event(), threading.Event()
    camera = FakeCamera(numbered(20))
    camera.before_read = lambda number: full.set() if number == read - 1 else None
    pipeline, sink = stream(
        camera, [Numbered(lambda _: assert_waited(release)) for _ in range(2)], limits=limits
    )
    assert full.wait(PATIENCE)
    threading.Event().wait(0.05)  # time in which it must not read on
    captured = pipeline.ledger.snapshot().captured
    release.set()
    ended(pipeline)
    assert captured == read
    assert sink.numbers == list(range(20))


@pytest.fixture
def tickets() -> list[Ticket]:
    camera = FakeCamera(images(4))
    return [Ticket(frame, None) for frame in iter(camera.read, None)]


def taken(succession: Succession, tickets: list[Ticket]) -> None:
    handover = Handover(depth=len(tickets), newest=False)
    for ticket in tickets:
        list(handover.put(ticket))
        assert succession.take(handover) is ticket


def test_what_was_left_is_said_by_who_speaks_before_it(tickets):
    said: list[tuple[int, str]] = []
    done: list[Ticket] = []
    succession = Succession(ahead=9, done=done.append)
    taken(succession, tickets)

    def say(number: int) -> None:
        def speak() -> None:
            said.append((number, threading.current_thread().name))

        succession.say(tickets[number], speak)

    for number, name in ((2, "third"), (1, "second")):
        thread = threading.Thread(target=say, args=(number,), name=name)
        thread.start()
        thread.join(PATIENCE)  # it waits for nobody
    assert said == []
    say(0)
    here = threading.current_thread().name
    assert said == [(0, here), (1, here), (2, here)]
    assert done == tickets[:3]


def test_a_frame_that_the_watchdog_settled_lets_out_what_was_left_behind_it(tickets):
    said: list[int] = []
    succession = Succession(ahead=9)
    taken(succession, tickets)
    succession.say(tickets[1], lambda: said.append(1))

    def expire() -> None:
        assert tickets[0].claim()
        said.append(0)

    succession.interject(expire)
    assert said == [0, 1]


def test_a_frame_about_which_speaking_failed_is_given_up(tickets):
    said: list[object] = []
    done: list[Ticket] = []
    succession = Succession(ahead=9, done=done.append)
    taken(succession, tickets)
    succession.say(tickets[1], lambda: said.append(1))

    def fail() -> None:
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        succession.say(tickets[0], fail)
    assert (said, done) == ([], [])
    succession.abandon(tickets[0], lambda: said.append("given up"))
    assert said == ["given up", 1]
    assert done == tickets[:2]
    succession.abandon(tickets[0], lambda: said.append("twice"))
    succession.end(lambda ticket: said.append(tickets.index(ticket)))
    assert said == ["given up", 1, 2, 3]


def test_a_frame_outside_the_succession_may_speak_at_once(tickets):
    said: list[int] = []
    Succession().say(tickets[0], lambda: said.append(0))
    assert said == [0]
