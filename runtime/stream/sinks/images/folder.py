"""The folder of kept images: a folder per day, and beside each image its record."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path

from runtime.errors import EquipmentError, InputError
from runtime.files.atomic import explained, replacing
from runtime.files.newest import NewestFiles
from runtime.files.output_folder import own_folder

DAY_NS = 86_400 * 10**9

RESERVE = 64 * 2**20
"""Bytes of the disk that images leave free: verdicts need them more."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_KEPT = re.compile(
    r"(?P<stem>\d{8}T\d{9}Z-[0-9a-f]{8}-(?:[A-Za-z][A-Za-z0-9_-]*-)?\d{8,})\.(?:png|jpg|json)",
    re.ASCII,
)


class ImagesFolder:
    """A folder that one stream at a time writes images into, and holds meanwhile.

    Images of earlier streams count for its bounds. What is not named as these are is left alone.

    Args:
        path: made where it is not there.
        most: images that are kept; None for any number.
        limit: bytes that images and records may have together.
        days: after which an image goes; None for no such rule.
        reserve: bytes of the disk that stay free.
        clock: nanoseconds since 1970.

    Raises:
        InputError: it cannot be written, or another stream holds it.
    """

    def __init__(
        self,
        path: Path,
        most: int | None,
        limit: int,
        days: int | None = None,
        *,
        reserve: int = RESERVE,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.path = path
        self.kept = NewestFiles(most, limit)
        self._limit = limit
        self._days = days
        self._reserve = reserve
        self._clock = clock
        self._held = ExitStack()
        try:
            self._held.enter_context(own_folder(path, room=0))
        except EquipmentError:
            raise
        except InputError as error:
            raise InputError(
                f"--sink images: {error.problem}",
                hint="give each stream a folder of its own, which this user may write",
            ) from error

    def look(self) -> None:
        """Count the images of earlier streams, the oldest first, and remove those that are too old.

        What a killed process left half written is removed, too.

        Raises:
            InputError: a folder in it cannot be read.
        """
        with explained(self.path):
            self._look()
        self.expire()

    def expire(self) -> None:
        """Remove the images that are older than they may be."""
        if self._days is not None:
            self._clear(self.kept.drop_before(self._clock() - self._days * DAY_NS))

    def _clear(self, removed: Sequence[Path]) -> None:
        """Remove the folders that are empty now."""
        for emptied in {path.parent for path in removed}:
            with contextlib.suppress(OSError):  # other images of that day are there
                emptied.rmdir()

    def _look(self) -> None:
        for day in sorted(entry for entry in self.path.iterdir() if _is_day(entry)):
            found: dict[str, list[os.DirEntry[str]]] = {}
            with os.scandir(day) as entries:
                for entry in entries:
                    if match := _KEPT.fullmatch(entry.name):
                        found.setdefault(match["stem"], []).append(entry)
                    elif entry.name.startswith(".") and _KEPT.match(entry.name[1:]):
                        Path(entry.path).unlink(missing_ok=True)
            for _, files in sorted(found.items()):
                paths = sorted((Path(file.path) for file in files), key=_removal)
                size = sum(file.stat(follow_symlinks=False).st_size for file in files)
                self.kept.add(paths, size, _moment_of(paths[0].name))

    def write(self, taken: datetime, ending: str, suffix: str, image: bytes, record: bytes) -> None:
        """Write an image and its record; the oldest go where they need the place.

        Args:
            taken: when, in UTC.
            ending: of both names, without suffix.
            suffix: of the image.

        Raises:
            InputError: they are larger than the bound, or cannot be written.
            EquipmentError: the disk is full.
        """
        size = len(image) + len(record)
        self.expire()
        if size > self._limit:
            raise InputError(
                f"an image of {size} bytes is larger than the limit of {self._limit}",
                hint="raise limit=",
            )
        self._clear(self.kept.make_room(size))
        with explained(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self.path).free < size + self._reserve:
            raise EquipmentError(
                f"less than {self._reserve // 2**20} MiB of the disk of {self.path} are free, and "
                "are left to the verdicts",
                hint="free some space",
                code="disk-failing",
            )
        day, stem = self.path / f"{taken:%Y-%m-%d}", stem_of(taken, ending)
        shot, beside = (day / f"{stem}{end}" for end in (suffix, ".json"))
        _write(shot, image)
        try:
            _write(beside, record)
        except BaseException:
            shot.unlink(missing_ok=True)
            raise
        self.kept.add((beside, shot), size, _moment_of(stem))

    def close(self) -> None:
        """Let another stream have it. Closing twice is fine."""
        self._held.close()


def stem_of(taken: datetime, ending: str) -> str:
    """Return the name of an image, without suffix."""
    return f"{taken:%Y%m%dT%H%M%S}{taken.microsecond // 1000:03d}Z-{ending}"


def _moment_of(name: str) -> int:
    """Return the moment that a name tells, in nanoseconds since 1970; 0 where it tells none."""
    try:
        moment = datetime.strptime(name[:15], "%Y%m%dT%H%M%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return 0
    return int(moment.timestamp()) * 10**9


def _is_day(path: Path) -> bool:
    return _DAY.fullmatch(path.name) is not None and path.is_dir() and not path.is_symlink()


def _removal(path: Path) -> tuple[bool, str]:
    """The record goes first: an image without one is not complete."""
    return path.suffix != ".json", path.name


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(data)
