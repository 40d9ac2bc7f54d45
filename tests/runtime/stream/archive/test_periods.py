"""Shifts, days and moments by a clock with summer time."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from runtime.errors import InputError
from runtime.stream.archive.periods import local_minute, parse_moment, parse_shifts, utc_text


@pytest.fixture(autouse=True)
def berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("moment", "name"),
    [
        ("2026-11-27 06:00", "2026-11-27 06:00-14:00"),
        ("2026-11-27 13:59", "2026-11-27 06:00-14:00"),
        ("2026-11-27 22:00", "2026-11-27 22:00-06:00"),
        ("2026-11-28 00:00", "2026-11-27 22:00-06:00"),
        ("2026-11-28 05:59", "2026-11-27 22:00-06:00"),
        ("2026-01-01 00:00", "2025-12-31 22:00-06:00"),
    ],
)
def test_a_shift_belongs_to_the_day_on_which_it_begins(moment, name):
    shifts = parse_shifts("22:00, 06:00,14:00")
    assert shifts.name_at(datetime.fromisoformat(moment)) == name


def test_a_shift_of_a_whole_day():
    assert parse_shifts("06:30").name_at(datetime(2026, 5, 2, 6, 29)) == "2026-05-01 06:30-06:30"


@pytest.mark.parametrize(
    ("text", "end", "moment"),
    [
        ("2026-11-27", False, "2026-11-26T23:00"),
        ("2026-11-27", True, "2026-11-27T23:00"),
        ("2026-07-01", False, "2026-06-30T22:00"),
        ("2026-03-29", True, "2026-03-29T22:00"),  # an hour shorter, by the start of summer time
        ("2026-11-27T06:00", False, "2026-11-27T05:00"),
        ("2026-11-27T06:00", True, "2026-11-27T05:00"),
        ("2026-11-27 06:00:30", False, "2026-11-27T05:00:30"),
        ("2026-11-27T06:00Z", False, "2026-11-27T06:00"),
        ("2026-11-27T06:00+05:30", False, "2026-11-27T00:30"),
    ],
)
def test_moments(text, end, moment):
    assert utc_text(parse_moment(text, end=end)).startswith(moment)


def test_minutes_of_the_hour_that_comes_twice_are_of_one_day():
    assert [local_minute(f"2026-10-25T0{hour}:30").hour for hour in range(3)] == [2, 2, 3]


@pytest.mark.parametrize(
    "text",
    ["", "today", "27.11.2026", "2026-13-01", "2026-11-31", "2026-11-27T25:00", "9999-12-31"],
)
def test_what_is_no_moment(text):
    with pytest.raises(InputError, match="is not a date or a time"):
        parse_moment(text, end=True)


@pytest.mark.parametrize("text", ["", "6:00", "24:00", "06:00,", "06:00,14:60", "06.00"])
def test_what_is_no_shift(text):
    with pytest.raises(InputError, match="is not a time of day"):
        parse_shifts(text)


def test_a_shift_that_begins_twice():
    with pytest.raises(InputError, match="one time twice"):
        parse_shifts("06:00,14:00,06:00")
