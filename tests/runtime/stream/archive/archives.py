"""Verdicts for an archive, and what is in one."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from runtime.stream.sinks.base import StreamFacts
from runtime.stream.sinks.sqlite import SqliteSink
from runtime.stream.verdict import Decision, Status, Verdict

START_NS = 1_764_230_400_000_000_000
"""2025-11-27 08:00 UTC."""


def verdict(number: int, status: Status = Status.PASS, label: str = "good", **more) -> Verdict:
    steps = {"infer": 500 + number, "total": 1000 + number}
    decision = Decision(status, label, 0.9 if label else 0.0, **more)
    return Verdict(number, number, START_NS + number * 1_000_000, decision, steps)


def archive(
    path: Path, numbers: Sequence[int] = range(3), *, facts: StreamFacts | None = None
) -> str:
    """Write an archive as one run that ends well; the run's id."""
    facts = facts or StreamFacts()
    sink = SqliteSink(path, facts)
    for number in numbers:
        sink.emit(verdict(number))
    sink.close()
    assert (sink.written, sink.lost, sink.problem) == (len(numbers), 0, "")
    return facts.run


def rows(path: Path, query: str = "SELECT frame FROM verdicts ORDER BY run, frame") -> list[Any]:
    """The rows of a query; of those with one column, that."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(query).fetchall()
    return [row[0] if len(row) == 1 else row for row in found]
