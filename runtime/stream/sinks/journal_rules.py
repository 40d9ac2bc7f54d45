"""Rules of a file of lines: when it is rotated, and when it is forced to the disk."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum

from runtime.errors import InputError

LEAST_ROTATE = 64 * 2**10
DAY = "day"

_SIZE = re.compile(r"(?P<number>[1-9]\d{0,6})(?P<unit>KiB|MiB|GiB)")
_UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_NUMBER = re.compile(r"[1-9]\d{0,5}")


class Fsync(str, Enum):
    """Policy by which lines are forced to the disk, so that a power cut leaves them there.

    `none` leaves it to the operating system; `interval` is once a second; with `every`, lines
    count as written only when they are on the disk.
    """

    NONE = "none"
    INTERVAL = "interval"
    EVERY = "every"


@dataclass(frozen=True)
class JournalRules:
    """Rules by which a file of lines is kept.

    Args:
        rotate_bytes: begin a new file before it would have more; None for any size.
        rotate_daily: begin a new file each day, by the machine's clock.
        keep: closed files that stay, the newest; None for all.
        fsync: when lines are forced to the disk.
        goes_on: add to a file that an earlier stream has left; else there must be none.
    """

    rotate_bytes: int | None = None
    rotate_daily: bool = False
    keep: int | None = None
    fsync: Fsync = Fsync.NONE
    goes_on: bool = False

    @staticmethod
    def of(rotate: str | None, keep: int | str | None, fsync: str | None) -> JournalRules:
        """Read the values of `rotate`, `keep` and `fsync`; None for those that were not given.

        Raises:
            InputError: one is none, or `keep` stands without `rotate`.
        """
        size, daily = parse_rotate(rotate) if rotate is not None else (None, False)
        if keep is not None and rotate is None:
            raise InputError(
                f"keep={keep} has no effect on a file that is not rotated",
                hint="give rotate=64MiB or rotate=day too, or drop it",
            )
        if keep is not None and not _NUMBER.fullmatch(str(keep)):
            raise InputError(f"keep={keep} is not a number of files", hint="as in keep=10")
        names = [policy.value for policy in Fsync]
        if fsync is not None and fsync not in names:
            raise InputError(f"fsync={fsync} is no way to write", hint=f"choose {', '.join(names)}")
        return JournalRules(
            size,
            daily,
            None if keep is None else int(keep),
            Fsync.NONE if fsync is None else Fsync(fsync),
        )


def parse_rotate(text: str) -> tuple[int | None, bool]:
    """Parse `64MiB` or `day`: bytes of a file at most, and whether each day has a new one.

    Raises:
        InputError: it is neither, or fewer bytes than `LEAST_ROTATE`.
    """
    if text == DAY:
        return None, True
    match = _SIZE.fullmatch(text)
    if match is None:
        raise InputError(
            f"{text!r} is neither a size nor {DAY}", hint="write 64MiB, 500KiB, 1GiB or day"
        )
    size = int(match["number"]) * _UNITS[match["unit"]]
    if size < LEAST_ROTATE:
        raise InputError(
            f"{text!r} is too small for a file of verdicts", hint="write 64KiB or more"
        )
    return size, False


def parse_journal(target: str) -> tuple[str, JournalRules]:
    """Parse `FILE`, or `FILE?rotate=64MiB&keep=10&fsync=interval`.

    A file that is rotated goes on where the last stream has ended. What stands behind a `?`
    without a `=` belongs to the file's name.

    Raises:
        InputError: an option is unknown, is there twice, or has no such value.
    """
    name, mark, rest = target.rpartition("?")
    if not mark or "=" not in rest:
        return target, JournalRules()
    options: dict[str, str] = {}
    for pair in rest.split("&"):
        key, _, value = pair.partition("=")
        if key not in ("rotate", "keep", "fsync") or not value or key in options:
            raise InputError(
                f"--sink jsonl: {pair!r} is no option of its file, each of which stands once",
                hint="as in jsonl:FILE?rotate=64MiB&keep=10&fsync=interval",
            )
        options[key] = value
    try:
        rules = JournalRules.of(options.get("rotate"), options.get("keep"), options.get("fsync"))
    except InputError as error:
        raise InputError(f"--sink jsonl: {error.problem}", hint=error.hint) from None
    return name, replace(rules, goes_on="rotate" in options)
