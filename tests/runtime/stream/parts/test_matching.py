"""Verdicts of several cameras joined to parts. Times are those of the test; nobody waits."""

from __future__ import annotations

import itertools
import random

import pytest

from runtime.stream.parts import matching
from runtime.stream.parts.matching import PartMatcher
from runtime.stream.parts.verdict import WORST_FIRST, PartVerdict
from runtime.stream.verdict import Decision, Status, Verdict

MS = 1_000_000


def verdict(number: int, at_ms: float, status: Status = Status.PASS) -> Verdict:
    at = round(at_ms * MS)
    label = "" if status in (Status.FAULT, Status.LATE) else "clean"
    decision = Decision(status, label, 0.9 if label else 0.0, "" if label else "broken")
    return Verdict(number, at, at, decision, {"total": 1})


def by_trigger(*names: str, deadline_ms: float | None = 100) -> PartMatcher:
    deadline = None if deadline_ms is None else round(deadline_ms * MS)
    return PartMatcher(names or ("left", "right"), window_ns=None, deadline_ns=deadline)


def by_time(*names: str, window_ms: float = 20, deadline_ms: float = 100) -> PartMatcher:
    return PartMatcher(
        names or ("left", "right"),
        window_ns=round(window_ms * MS),
        deadline_ns=round(deadline_ms * MS),
    )


def told(parts: list[PartVerdict]) -> list[tuple[int, str, dict[str, int], list[str]]]:
    """Number, status, frame numbers by camera and missing cameras of each."""
    return [
        (
            part.verdict.number,
            part.verdict.decision.status.value,
            {name: seen.number for name, seen in part.cameras.items()},
            list(part.missing),
        )
        for part in parts
    ]


def test_a_part_goes_out_when_all_have_spoken_and_not_before():
    parts = by_trigger()
    assert parts.add("left", verdict(0, 0), 5 * MS) == []
    assert told(parts.add("right", verdict(0, 1), 6 * MS)) == [
        (0, "pass", {"left": 0, "right": 0}, [])
    ]
    assert parts.next_deadline_ns is None


RANKED = [status for status in reversed(WORST_FIRST) if status in set(Status)]


@pytest.mark.parametrize(("bad", "worse"), list(itertools.pairwise(RANKED)))
def test_the_worst_camera_decides_whichever_it_is(bad, worse):
    for first, second in ((bad, worse), (worse, bad)):
        parts = by_trigger()
        parts.add("left", verdict(0, 0, Status(first)), 1)
        (part,) = parts.add("right", verdict(0, 0, Status(second)), 2)
        assert part.verdict.decision.status.value == worse
        assert part.verdict.camera == ("left" if first == worse else "right")


def test_every_status_has_its_rank_and_pass_is_the_best():
    assert {status.value for status in Status} <= set(WORST_FIRST)
    assert WORST_FIRST[-1] == "pass"


def test_of_equally_bad_cameras_the_first_that_was_named_decides():
    parts = by_trigger("left", "right")
    parts.add("right", verdict(0, 0, Status.REJECT), 1)
    (part,) = parts.add("left", verdict(0, 0, Status.REJECT), 2)
    assert part.verdict.camera == "left"


def test_a_camera_that_is_missing_at_the_deadline_is_a_fault_never_a_pass():
    parts = by_trigger(deadline_ms=100)
    parts.add("left", verdict(0, 10), 12 * MS)
    assert parts.next_deadline_ns == 110 * MS
    assert parts.expire(110 * MS - 1) == []
    (part,) = parts.expire(110 * MS)
    assert told([part]) == [(0, "fault", {"left": 0}, ["right"])]
    assert part.verdict.decision.reason == "right: no verdict within 100 ms of the part"
    assert part.verdict.steps["total"] == 100 * MS
    # What comes afterwards changes nothing and opens nothing.
    assert parts.add("right", verdict(0, 11), 111 * MS) == []
    assert parts.late_frames == 1
    assert parts.next_deadline_ns is None


def test_a_frame_past_the_deadline_does_not_complete_a_part_that_nobody_expired():
    parts = by_trigger(deadline_ms=100)
    parts.add("left", verdict(0, 0), 1)
    out = parts.add("right", verdict(0, 1), 150 * MS)
    assert told(out) == [(0, "fault", {"left": 0}, ["right"])]
    assert parts.late_frames == 1


def test_a_reject_of_one_camera_stays_in_the_line_of_a_part_without_another():
    parts = by_trigger()
    parts.add("left", verdict(0, 0, Status.REJECT), 1)
    (part,) = parts.expire(100 * MS)
    line = part.line()
    assert (line.status, line.decided_by) == (Status.FAULT, "right")
    assert line.cameras["left"].status is Status.REJECT
    assert (line.cameras["right"].frame, line.cameras["right"].status) == (None, Status.FAULT)


def test_a_camera_whose_next_frame_comes_first_is_not_waited_for():
    parts = by_trigger(deadline_ms=None)
    parts.add("left", verdict(0, 0), 1)
    parts.add("left", verdict(1, 30), 2)
    out = parts.add("right", verdict(1, 30), 3)
    assert told(out) == [
        (0, "fault", {"left": 0}, ["right"]),
        (1, "pass", {"left": 1, "right": 1}, []),
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(["a", "b", "c"])))
def test_cameras_may_come_in_any_order_and_run_ahead(order):
    parts = by_trigger("a", "b", "c")
    out = []
    for name in order:
        for number in range(3):
            out += parts.add(name, verdict(number, number), 10)
    assert told(out) == [(n, "pass", {"a": n, "b": n, "c": n}, []) for n in range(3)]


def test_what_is_said_twice_counts_once_and_the_worse_of_it():
    parts = by_trigger()
    parts.add("left", verdict(0, 0, Status.REJECT), 1)
    parts.add("left", verdict(0, 0), 2)
    (part,) = parts.add("right", verdict(0, 0), 3)
    assert part.verdict.decision.status is Status.REJECT
    assert parts.add("left", verdict(0, 0), 4) == []
    assert parts.repeated_frames == 2
    assert parts.next_deadline_ns is None


def test_frames_within_the_window_show_one_part():
    parts = by_time(window_ms=20, deadline_ms=1000)
    parts.add("left", verdict(7, 100), 101 * MS)
    parts.add("left", verdict(8, 200), 201 * MS)
    out = parts.add("right", verdict(3, 120), 202 * MS)
    out += parts.add("right", verdict(4, 185), 203 * MS)
    assert told(out) == [
        (0, "pass", {"left": 7, "right": 3}, []),
        (1, "pass", {"left": 8, "right": 4}, []),
    ]


def test_a_frame_just_outside_the_window_is_of_another_part():
    parts = by_time(window_ms=20)
    parts.add("left", verdict(0, 100), 101 * MS)
    out = parts.add("right", verdict(0, 120.001), 121 * MS)  # and it is past the first
    out += parts.expire(300 * MS)
    assert told(out) == [
        (0, "fault", {"left": 0}, ["right"]),
        (1, "fault", {"right": 0}, ["left"]),
    ]


def test_three_cameras_lie_within_one_window_altogether():
    parts = by_time("a", "b", "c", window_ms=20)
    parts.add("a", verdict(0, 100), 0)
    parts.add("b", verdict(0, 115), 0)
    assert parts.add("c", verdict(0, 85), 0) == [], "85 and 115 are 30 ms apart"
    assert len(parts.expire(10**12)) == 2


def test_a_frame_goes_to_the_nearest_part():
    parts = by_time(window_ms=30, deadline_ms=1000)
    parts.add("left", verdict(0, 100), 0)
    parts.add("left", verdict(1, 125), 0)
    out = parts.add("right", verdict(0, 122), 0)
    assert {name: seen.number for name, seen in out[0].cameras.items()} == {"left": 1, "right": 0}


def test_a_second_frame_of_a_camera_within_the_window_is_a_part_of_its_own():
    parts = by_time(window_ms=20)
    parts.add("left", verdict(0, 100), 0)
    parts.add("left", verdict(1, 110), 0)
    out = parts.add("right", verdict(0, 101), 0)
    assert told(out) == [(0, "pass", {"left": 0, "right": 0}, [])]
    assert told(parts.expire(10**12)) == [(1, "fault", {"left": 1}, ["right"])]


def test_a_late_frame_is_known_by_its_time_too():
    parts = by_time(window_ms=20, deadline_ms=100)
    parts.add("left", verdict(0, 100), 101 * MS)
    assert len(parts.expire(200 * MS)) == 1
    assert parts.add("right", verdict(0, 110), 201 * MS) == []
    assert parts.late_frames == 1
    assert parts.expire(10**12) == []


def test_a_camera_that_has_ended_is_missing_from_then_on():
    parts = by_trigger(deadline_ms=None)
    parts.add("left", verdict(0, 0), 1)
    out = parts.leave("right", "it has ended", 2)
    out += parts.add("left", verdict(1, 10), 3)
    assert told(out) == [
        (0, "fault", {"left": 0}, ["right"]),
        (1, "fault", {"left": 1}, ["right"]),
    ]
    assert out[1].verdict.decision.reason == "right: it has ended"
    # One that was left because its numbers are wrong may go on to speak.
    assert parts.add("right", verdict(1, 10), 4) == []
    assert parts.unmatched_frames == 1


def test_the_end_leaves_no_part_without_a_verdict():
    parts = by_trigger(deadline_ms=None)
    for number in range(3):
        parts.add("left", verdict(number, 0), 1)
    out = parts.finish(2)
    assert [part.verdict.number for part in out] == [0, 1, 2]
    assert {part.verdict.decision.status for part in out} == {Status.FAULT}
    assert parts.finish(3) == []


def test_a_camera_that_never_speaks_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(matching, "MOST_OPEN", 5)
    parts = by_trigger(deadline_ms=None)
    out = []
    for number in range(20):
        out += parts.add("left", verdict(number, number), 1)
    assert [part.verdict.number for part in out] == list(range(15))
    assert out[0].missing == {"right": "too many parts waited for it"}


def test_any_stream_of_frames_gives_each_frame_to_at_most_one_part():
    """Cameras that lose frames at random: all parts of all frames go out, none passes unseen."""
    for seed in range(30):
        rng = random.Random(seed)
        names = ("a", "b", "c")
        parts = by_time(*names, window_ms=20, deadline_ms=60)
        events = []
        kept = {}
        for number in range(50):
            for name in names:
                if rng.random() < 0.9:
                    captured = 100 * number + rng.uniform(0, 20)
                    kept[name, number] = captured
                    events.append((captured + rng.uniform(0, 70), name, number, captured))
        # Of one camera they come in order.
        latest: dict[str, float] = {}
        ordered = []
        for spoken, name, number, captured in sorted(events, key=lambda e: (e[1], e[2])):
            latest[name] = max(spoken, latest.get(name, 0.0))
            ordered.append((latest[name], name, number, captured))
        out: list[PartVerdict] = []
        for spoken, name, number, captured in sorted(ordered):
            out += parts.add(name, verdict(number, captured), round(spoken * MS))
        out += parts.finish(10**12)
        seen = [(name, v.number) for part in out for name, v in part.cameras.items()]
        assert len(seen) == len(set(seen))
        assert len(seen) + parts.late_frames == len(kept)
        for part in out:
            complete = len(part.cameras) == len(names)
            assert (part.verdict.decision.status is Status.PASS) == complete
            assert len({v.number for v in part.cameras.values()}) == 1
        assert [part.verdict.number for part in out] == list(range(len(out)))
