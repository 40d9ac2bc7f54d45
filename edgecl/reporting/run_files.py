"""A run directory's files, as far as they are there and whole."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import InputError


@dataclass(frozen=True)
class RunFiles:
    """What was found.

    Args:
        result: result.json.
        config: config.json; empty where it is not there.
        metrics: the lines of metrics.jsonl.
        predictions: the rows of predictions.csv.
        found: the names of the files that were read.
        problems: what could not be read, in words, for the page's notes.
    """

    result: Mapping[str, Any]
    config: Mapping[str, Any]
    metrics: Sequence[Mapping[str, Any]]
    predictions: Sequence[Mapping[str, str]]
    found: Sequence[str]
    problems: Sequence[str]


def read_run(run: Path) -> RunFiles:
    """Read a run directory.

    Raises:
        InputError: result.json is missing or damaged; the other files may be.
    """
    result = _read_result(run / "result.json")
    problems: list[str] = []
    config: Mapping[str, Any] = {}
    text = _read(run / "config.json", problems)
    if text:
        try:
            value = json.loads(text)
            config = value if isinstance(value, dict) else {}
        except ValueError:
            problems.append("config.json is damaged; the run's choices are not shown.")
    metrics = _lines(_read(run / "metrics.jsonl", problems), problems)
    predictions = _rows(_read(run / "predictions.csv", problems), problems)
    names = ("result.json", "config.json", "metrics.jsonl", "predictions.csv")
    return RunFiles(
        result=result,
        config=config,
        metrics=metrics,
        predictions=predictions,
        found=[name for name in names if (run / name).is_file()],
        problems=problems,
    )


def _read_result(path: Path) -> dict[str, Any]:
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror})",
            mend=f"finish the run: edgecl train --resume --out {path.parent}",
        ) from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error})", mend="train again") from error
    if not isinstance(result, dict) or "accuracy" not in result:
        raise InputError(f"{path} has no accuracy", mend="train again")
    return result


def _read(path: Path, problems: list[str]) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        problems.append(f"{path.name} cannot be read ({error.strerror}).")
        return ""


def _lines(text: str, problems: list[str]) -> list[Mapping[str, Any]]:
    lines: list[Mapping[str, Any]] = []
    damaged = 0
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if isinstance(value, dict):
            lines.append(value)
        elif line.strip():
            damaged += 1
    if damaged:
        problems.append(f"metrics.jsonl: {damaged} damaged line(s) left out of the curves.")
    return lines


def _rows(text: str, problems: list[str]) -> list[Mapping[str, str]]:
    try:
        return list(csv.DictReader(text.splitlines()))
    except csv.Error as error:
        problems.append(f"predictions.csv is damaged ({error}).")
        return []
