"""Pulses and ticks, without a clock."""

from __future__ import annotations

import pytest

from runtime.stream.outputs.pulses import LATE_NS, MOST_WAITING, LineChange, PulseTrain
from runtime.stream.outputs.ticks import KEPT_NS, FileTicks, TickHistory

MS = 1_000_000
PULSE, PASS, END = LineChange.PULSE, LineChange.PASS, LineChange.END


def test_a_pulse_lasts_its_length():
    train = PulseTrain(50 * MS)
    train.make(PULSE, 0)
    assert train.next_ns(0) == 50 * MS
    assert train.is_up(50 * MS - 1)
    assert not train.is_up(50 * MS)
    assert train.next_ns(50 * MS) is None


def test_pulses_that_overlap_are_one():
    train = PulseTrain(50 * MS)
    train.make_at(PULSE, 100 * MS)
    train.make_at(PULSE, 130 * MS)
    edges, was = [], False
    for now in range(0, 300 * MS, MS):
        assert train.advance(now) == 0
        if train.is_up(now) != was:
            was = not was
            edges.append(now // MS)
    assert edges == [100, 180]


def test_a_pulse_whose_time_was_missed_is_whole_all_the_same_and_late():
    train = PulseTrain(5 * MS)
    train.make_at(PULSE, 100 * MS)
    assert train.advance(100 * MS + LATE_NS + 1) == 1
    assert train.is_up(100 * MS + LATE_NS + 5 * MS)


def test_a_pass_that_is_late_does_not_begin():
    train = PulseTrain(5 * MS)
    train.make_at(PASS, 100 * MS)
    assert train.advance(100 * MS + LATE_NS + 1) == 1
    assert not train.is_up(100 * MS + LATE_NS + 1)
    train.make_at_count(PASS, 10)
    train.make_at_count(PULSE, 10)
    assert train.lose_count(200 * MS) == 2
    assert train.is_up(200 * MS)
    assert train.waiting == 0


def test_a_withdrawn_pass_goes_down_but_not_a_reject():
    train = PulseTrain(50 * MS)
    train.make(PASS, 0)
    train.withdraw_pass(MS)
    assert not train.is_up(MS)
    train.make(PASS, 2 * MS)
    train.make(PULSE, 3 * MS)
    train.withdraw_pass(4 * MS)
    assert train.is_up(4 * MS)
    train.make_at(PASS, 200 * MS)
    train.withdraw_pass(5 * MS)
    assert train.waiting == 0


def test_a_part_that_must_not_go_ends_the_pass_before_it_but_no_reject():
    train = PulseTrain(50 * MS)
    train.make(PASS, 0)
    train.make_at(END, 20 * MS)
    train.make_at(PASS, 90 * MS)
    assert train.next_ns(0) == 20 * MS
    train.advance(20 * MS)
    assert not train.is_up(20 * MS)
    train.advance(90 * MS)
    assert train.is_up(90 * MS)
    train.make(PULSE, 91 * MS)
    train.make(END, 92 * MS)
    assert train.is_up(92 * MS)
    train = PulseTrain(50 * MS)
    train.make_at_count(PASS, 10)
    train.make_at_count(END, 12)
    train.advance(0, 11)
    assert train.is_up(0)
    assert train.lose_count(1) == 1
    assert not train.is_up(1)


def test_pulses_wait_for_ticks_however_long_the_belt_stands():
    train = PulseTrain(5 * MS)
    train.make_at_count(PULSE, 1200)
    train.make_at_count(PULSE, 1300)
    train.advance(10**12, 1199)
    assert not train.is_up(10**12)
    train.advance(10**12, 1200)
    assert train.is_up(10**12)
    assert train.waiting == 1


def test_pulses_that_wait_are_bounded():
    train = PulseTrain(5 * MS)
    for number in range(MOST_WAITING):
        train.make_at(PULSE, number)
    with pytest.raises(OverflowError):
        train.make_at_count(PULSE, 1)


def test_the_count_when_a_frame_was_taken():
    history = TickHistory()
    assert history.at(5) is None
    for now, count in ((10, 0), (20, 5), (30, 5), (40, 7)):
        assert history.add(now, count)
    assert [history.at(ns) for ns in (9, 10, 19, 20, 39, 40, 99)] == [None, 0, 0, 5, 5, 7, 7]
    assert not history.add(50, 1)
    assert (history.at(45), history.count) == (None, 1)


def test_old_counts_are_forgotten():
    history = TickHistory()
    for number in range(20_000):
        history.add(number * MS, number)
    assert len(history._times) <= KEPT_NS // MS + 300
    assert history.at(19_999 * MS - KEPT_NS + MS) is not None


@pytest.mark.parametrize("text", ["", "12.5", "-1", "x", "9" * 40, "१"])
def test_a_file_without_a_count_is_told(tmp_path, text):
    path = tmp_path / "counter"
    path.write_text(text)
    with pytest.raises(ValueError, match="no count of ticks"):
        FileTicks(path).look(0)
    path.write_text("12\n")
    ticks = FileTicks(path)
    assert ticks.look(0)
    assert ticks.history.count == 12
