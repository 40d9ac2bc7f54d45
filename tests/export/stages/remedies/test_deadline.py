"""A stated time: work that would not end within it does not begin."""

from __future__ import annotations

import pytest

from export.stages.remedies.deadline import Deadline, OutOfTimeError


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_work_begins_only_where_it_ends_in_time():
    clock = Clock()
    deadline = Deadline.after(10, clock)
    deadline.require(9.9)
    clock.now += 6
    assert deadline.spent == 6
    deadline.require(3.9)
    with pytest.raises(OutOfTimeError):
        deadline.require(4)
    clock.now += 4
    with pytest.raises(OutOfTimeError):
        deadline.require()


def test_a_share_of_the_time_began_when_all_of_it_did():
    clock = Clock()
    deadline = Deadline.after(10, clock)
    clock.now += 4
    half = deadline.share(0.5)
    assert (half.spent, half.seconds) == (4, 5)
    clock.now += 1
    with pytest.raises(OutOfTimeError):
        half.require()
    deadline.require()


def test_work_that_reports_ends_when_the_time_is_over():
    clock, told = Clock(), []
    report = Deadline.after(3, clock).watch(lambda *heard: told.append(heard))
    report("sensitivity", 1, 3, "stem")
    clock.now += 3
    with pytest.raises(OutOfTimeError):
        report("sensitivity", 2, 3, "head")
    assert told == [("sensitivity", 1, 3, "stem")]
