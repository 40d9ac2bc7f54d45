"""Verdicts of earlier streams, and the images that they were made of."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import InputError
from runtime.stream.answering.comparing import OneAnswer
from runtime.stream.archive.database import MAGIC, opened_to_read
from runtime.stream.sinks.images.record import read_image_records
from runtime.stream.verdict import Status, VerdictLine, read_verdicts

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

VERDICTS, CONFIG = "verdicts.jsonl", "config.toml"

CLOSED = "verdicts.[0-9][0-9][0-9][0-9][0-9][0-9].jsonl"
"""Files of verdicts that a rotation closed."""


@dataclass(frozen=True)
class RecordedVerdict:
    """A verdict of an earlier stream.

    Args:
        id: as an archive names it, or the frame's number where no archive is asked.
        frame: the frame's number.
        captured_at: when its capture started, ISO 8601 with `Z`.
        answer: of the model, without debounce and deadline; None where there was none.
        bits: how many of 16 are used, where that was recorded.
    """

    id: str
    frame: int
    captured_at: str
    answer: OneAnswer | None
    bits: int | None = None


@dataclass(frozen=True)
class VerdictRecording:
    """Verdicts of earlier streams.

    Args:
        verdicts: by the file's name, or the frame's number where frames have no files; of several
            on one image the latest.
        images: folder or video that the frames came from; None where nothing tells.
    """

    verdicts: Mapping[str | int, RecordedVerdict]
    images: Path | None


def read_recording(source: Path) -> VerdictRecording | None:
    """Read the verdicts of a stream's folder, a verdicts.jsonl, an archive or kept images.

    Returns:
        None where `source` is none of them, as a folder of images.

    Raises:
        InputError: it is one, and cannot be read.
    """
    if source.is_dir():
        if (source / VERDICTS).is_file():
            return _of_lines([*sorted(source.glob(CLOSED)), source / VERDICTS])
        return _of_kept_images(source)
    if source.name.endswith(".jsonl"):
        return _of_lines([source])
    return _of_archive(source) if _is_database(source) else None


def _is_database(path: Path) -> bool:
    try:
        with open(path, "rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror})",
            hint="pass a folder of images, a stream's folder, or an archive",
        ) from error


def _of_lines(paths: Sequence[Path]) -> VerdictRecording:
    found: dict[str | int, RecordedVerdict] = {}
    for path in paths:
        for line in read_verdicts(path):
            found[line.name or line.frame] = RecordedVerdict(
                str(line.frame), line.frame, line.captured_at, _answer_of(line)
            )
    return VerdictRecording(found, source_of_stream(paths[-1].parent))


def _of_kept_images(folder: Path) -> VerdictRecording | None:
    found: dict[str | int, RecordedVerdict] = {
        name: RecordedVerdict(
            record.id,
            record.verdict.frame,
            record.verdict.captured_at,
            _answer_of(record.verdict),
            record.bits,
        )
        for name, record in read_image_records(folder).items()
    }
    return VerdictRecording(found, folder) if found else None


def _answer_of(line: VerdictLine) -> OneAnswer | None:
    if line.label is None or line.confidence is None:
        return None
    status = line.answer or line.status
    # A fail-safe status says nothing about the frame.
    if status is Status.LATE or (line.late and line.answer is None):
        return None
    return OneAnswer(
        status=status.value,
        label=line.label,
        confidence=line.confidence,
        distance=line.distance,
        reason="" if line.answer else line.reason,
    )


def _of_archive(path: Path) -> VerdictRecording:
    found: dict[str | int, RecordedVerdict] = {}
    with opened_to_read(path) as connection:
        rows = connection.execute(
            "SELECT records.id, frame, captured_at, status, label, confidence, reason, late, "
            "answer, name, distance FROM records ORDER BY captured_at"
        )
        for identity, frame, at, status, label, sure, reason, late, answer, name, distance in rows:
            own = answer or status
            known = label is not None and sure is not None and own != Status.LATE.value
            held = None
            if known and not (late and answer is None):
                told = "" if answer else reason
                held = OneAnswer(
                    status=own, label=label, confidence=sure, distance=distance, reason=told
                )
            found[name or frame] = RecordedVerdict(identity, frame, at, held)
        folders = [
            Path(folder)
            for (folder,) in connection.execute("SELECT folder FROM runs ORDER BY number DESC")
        ]
    places = [place for place in map(source_of_stream, folders) if place is not None]
    return VerdictRecording(found, places[0] if places else None)


def source_of_stream(folder: Path) -> Path | None:
    """Return the folder or video that a stream judged; None for cameras, and where it is gone.

    Args:
        folder: of the stream, with its configuration.
    """
    try:
        document = tomllib.loads((folder / CONFIG).read_text(encoding="utf-8"))
        camera = document["camera"]["camera"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    path = Path(str(camera))
    return path if path.exists() else None
