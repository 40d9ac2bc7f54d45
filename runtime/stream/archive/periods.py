"""Days, shifts and moments by the clock on the wall of the machine that asks."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone

from runtime.errors import InputError

_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class ShiftPlan:
    """Shifts of a day.

    Args:
        starts: when they begin, ascending. Each ends where the next begins, and the last where the
            first begins on the next day.
    """

    starts: tuple[time, ...]

    def name_at(self, moment: datetime) -> str:
        """Return the shift of a moment, by the day on which it began: `2026-11-27 22:00-06:00`."""
        place = bisect_right(self.starts, moment.time()) - 1
        day = moment.date() if place >= 0 else moment.date() - timedelta(days=1)
        following = self.starts[(place + 1) % len(self.starts)]
        return f"{day} {self.starts[place]:%H:%M}-{following:%H:%M}"


def parse_shifts(text: str) -> ShiftPlan:
    """Parse starts of shifts, as in `06:00,14:00,22:00`.

    Raises:
        InputError: they are no such thing, or one is there twice.
    """
    starts = []
    for part in text.split(","):
        match = _CLOCK.fullmatch(part.strip())
        if match is None:
            raise InputError(
                f"{part.strip()!r} is not a time of day", hint="write 06:00,14:00,22:00"
            )
        starts.append(time(int(match[1]), int(match[2])))
    if len(set(starts)) < len(starts):
        raise InputError(f"{text!r} has one time twice", hint="write 06:00,14:00,22:00")
    return ShiftPlan(tuple(sorted(starts)))


def parse_moment(text: str, *, end: bool = False) -> datetime:
    """Parse a date, or a date with a time, of the local clock unless it has an offset.

    Args:
        text: as in `2026-11-27`, `2026-11-27T06:00`, `2026-11-27T06:00Z`.
        end: a date alone means its end, and not its start.

    Returns:
        The moment in UTC.

    Raises:
        InputError: it is no such thing.
    """
    try:
        if _DATE.fullmatch(text):
            day = date.fromisoformat(text) + timedelta(days=1 if end else 0)
            moment = datetime.combine(day, time())
        else:
            # Python 3.10 does not know the Z.
            moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise InputError(
            f"{text!r} is not a date or a time", hint="write 2026-11-27 or 2026-11-27T06:00"
        ) from None


def utc_text(moment: datetime) -> str:
    """Return a moment as archives have it, so that texts sort as the moments do."""
    utc = moment.astimezone(timezone.utc)
    return utc.isoformat(timespec="microseconds").replace("+00:00", "Z")


def local_minute(text: str) -> datetime:
    """Return a minute of an archive, `2026-11-27T05:00`, by the local clock."""
    return datetime.fromisoformat(f"{text}+00:00").astimezone()
