"""Files of a run directory, as far as they exist and are whole."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecl.learning.documents import MetricsLine, RunConfig, RunResult
from edgecl.learning.evaluation.mistakes import MISTAKES, SHOWN, TABLE, image_name
from edgecl.learning.evaluation.suspects import MOST_LISTED, SUSPECTS, SUSPECTS_TABLE
from runtime.errors import InputError
from runtime.files.document import parse_document, read_document

_PNG = b"\x89PNG\r\n\x1a\n"
_LARGEST_IMAGE = 1_000_000


@dataclass(frozen=True)
class KeptImage:
    """A small image that the run kept, and what it says of it.

    Args:
        row: its row of the folder's table.
        image: a PNG; None where it is not there or damaged.
    """

    row: Mapping[str, str]
    image: bytes | None


@dataclass(frozen=True)
class RunFiles:
    """Files of a run that were found.

    Args:
        result: result.json.
        config: config.json; None where it is not there or damaged.
        metrics: the lines of metrics.jsonl.
        predictions: the rows of predictions.csv.
        embedding: the rows of embedding.csv.
        mistakes: the most confident first; None for a run that kept no images of them.
        suspects: images whose labels are probably wrong, likewise.
        found: the names of the files that were read.
        problems: what could not be read, in words, for the page's notes.
    """

    result: RunResult
    config: RunConfig | None
    metrics: Sequence[MetricsLine]
    predictions: Sequence[Mapping[str, str]]
    embedding: Sequence[Mapping[str, str]]
    mistakes: Sequence[KeptImage] | None
    suspects: Sequence[KeptImage] | None
    found: Sequence[str]
    problems: Sequence[str]


def read_run(run: Path) -> RunFiles:
    """Read a run directory.

    Raises:
        InputError: result.json is missing or damaged; the other files may be.
    """
    result = _read_result(run / "result.json")
    problems: list[str] = []
    config = _config(run / "config.json", problems)
    metrics = _lines(_read(run / "metrics.jsonl", problems), problems)
    names = (
        "result.json",
        "config.json",
        "metrics.jsonl",
        "predictions.csv",
        "embedding.csv",
        f"{MISTAKES}/{TABLE}",
        f"{SUSPECTS}/{SUSPECTS_TABLE}",
    )
    return RunFiles(
        result=result,
        config=config,
        metrics=metrics,
        predictions=_rows(run / "predictions.csv", problems),
        embedding=_rows(run / "embedding.csv", problems),
        mistakes=_kept(run / MISTAKES, TABLE, SHOWN, problems),
        suspects=_kept(run / SUSPECTS, SUSPECTS_TABLE, MOST_LISTED, problems),
        found=[name for name in names if (run / name).is_file()],
        problems=problems,
    )


def _read_result(path: Path) -> RunResult:
    if not path.is_file():
        raise InputError(
            f"{path} not found",
            hint=f"finish the run with 'edgecl train --resume --out {path.parent}'",
        )
    return read_document(path, RunResult)


def _config(path: Path, problems: list[str]) -> RunConfig | None:
    text = _read(path, problems)
    if not text:
        return None
    try:
        return parse_document(json.loads(text), RunConfig, where=path.name)
    except (ValueError, InputError):
        problems.append("config.json is damaged, so the run's settings are not shown.")
        return None


def _read(path: Path, problems: list[str]) -> str:
    try:
        # Bytes that are not UTF-8 come from file names; the page shows a sign in their place.
        return path.read_bytes().decode("utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return ""
    except OSError as error:
        problems.append(f"{path.name} cannot be read ({error.strerror}).")
        return ""


def _lines(text: str, problems: list[str]) -> list[MetricsLine]:
    lines: list[MetricsLine] = []
    damaged = 0
    for line in text.splitlines():
        try:
            lines.append(parse_document(json.loads(line), MetricsLine, where="metrics.jsonl"))
        except (ValueError, InputError):
            damaged += bool(line.strip())
    if damaged:
        problems.append(f"metrics.jsonl: {damaged} damaged line(s) are missing from the curves.")
    return lines


def _rows(path: Path, problems: list[str]) -> list[Mapping[str, str]]:
    try:
        # A name may hold what ends a line, so the reader gets the text as it is.
        return list(csv.DictReader(io.StringIO(_read(path, problems), newline="")))
    except csv.Error as error:
        problems.append(f"{path.name} is damaged ({error}).")
        return []


def _kept(folder: Path, table: str, most: int, problems: list[str]) -> list[KeptImage] | None:
    if not (folder / table).is_file():
        return None
    rows = _rows(folder / table, problems)[:most]
    kept = [
        KeptImage(row, _image(folder / image_name(rank))) for rank, row in enumerate(rows, start=1)
    ]
    missing = sum(entry.image is None for entry in kept)
    if missing:
        problems.append(f"{folder.name}: {missing} image(s) missing or damaged.")
    return kept


def _image(path: Path) -> bytes | None:
    try:
        with open(path, "rb") as stream:
            data = stream.read(_LARGEST_IMAGE + 1)
    except OSError:
        return None
    if not data.startswith(_PNG) or not 24 < len(data) <= _LARGEST_IMAGE:
        return None
    return data if all(png_size(data)) else None


def png_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels, from a PNG's first chunk."""
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
