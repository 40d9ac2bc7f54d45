"""History of an archive: its verdicts counted by day, shift, lot, run or recipe."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from runtime.errors import InputError
from runtime.files.document import Document, Part
from runtime.stream.archive.database import opened_to_read
from runtime.stream.archive.periods import ShiftPlan, local_minute, utc_text
from runtime.stream.verdict import Status

By = Literal["day", "shift", "lot", "run", "recipe"]

NO_LABEL = ""


class DefectShare(Part, frozen=True, kw_only=True):
    """One label of a Pareto chart of rejects.

    Args:
        label: of the rejects.
        count: rejects with that label.
        share: of all rejects, 0 to 1.
        cumulative: share of this label and of all more frequent ones.
    """

    label: str
    count: int
    share: float
    cumulative: float


class HistoryGroup(Part, frozen=True, kw_only=True):
    """Verdicts of one day, shift, lot, run or recipe, or of all.

    Args:
        name: of the day, shift, lot, run or recipe; empty for all, for runs without a lot, and for
            verdicts without a recipe.
        verdicts: how many.
        statuses: verdicts by status.
        labels: verdicts by label, and then by status; those without a usable answer have the
            label "".
        yield_share: verdicts that are `pass`, of all, 0 to 1; None where there are none.
        late: verdicts without an answer by the deadline, whatever status went out.
        held_back: rejects that went out as `pass` by `--debounce`.
        defects: labels of the rejects, the most frequent first.
    """

    name: str
    verdicts: int
    statuses: dict[str, int]
    labels: dict[str, dict[str, int]]
    yield_share: float | None
    late: int
    held_back: int
    defects: tuple[DefectShare, ...]


class CheckEntry(Part, frozen=True, kw_only=True):
    """A check of the line.

    Args:
        made_at: ISO 8601 with `Z`.
        passed: whether all was as it should be.
        recipe: that was checked; empty where there were no recipes.
        failures: what was not, in words.
    """

    made_at: str
    passed: bool
    recipe: str
    failures: tuple[str, ...]


class History(Document, frozen=True, kw_only=True):
    """Verdicts of an archive, counted; `edgecl history --json` prints it.

    Args:
        archive: its path.
        since: the first moment that counts, ISO 8601 with `Z`; None without a limit.
        until: the first moment that does not count any more; None without a limit.
        by: what a group is.
        zone: the clock of days and shifts.
        runs: with verdicts in that time.
        total: all verdicts in that time.
        groups: in order of time; lots by their first run.
        checks: of the line in that time, the earliest first.
    """

    WHAT: ClassVar[str] = "a history"
    REMEDY: ClassVar[str] = "make one with 'edgecl history --json'"

    schema: Literal[1] = 1
    archive: str
    since: str | None
    until: str | None
    by: By
    zone: str
    runs: int
    total: HistoryGroup
    groups: tuple[HistoryGroup, ...]
    checks: tuple[CheckEntry, ...] = ()


@dataclass
class _Tally:
    """Counts of a group, while they grow."""

    labels: dict[str, Counter[str]] = field(default_factory=dict)
    late: int = 0
    held_back: int = 0

    def add(self, status: str, label: str, count: int, late: int, held_back: int) -> None:
        self.labels.setdefault(label, Counter())[status] += count
        self.late += late
        self.held_back += held_back

    def group(self, name: str) -> HistoryGroup:
        statuses: Counter[str] = Counter({status.value: 0 for status in Status})
        for counts in self.labels.values():
            statuses.update(counts)
        verdicts = statuses.total()
        passed = statuses[Status.PASS.value]
        return HistoryGroup(
            name=name,
            verdicts=verdicts,
            statuses=dict(statuses),
            labels={label: dict(counts) for label, counts in sorted(self.labels.items())},
            yield_share=passed / verdicts if verdicts else None,
            late=self.late,
            held_back=self.held_back,
            defects=tuple(
                pareto(
                    {
                        label: counts[Status.REJECT.value]
                        for label, counts in self.labels.items()
                        if label != NO_LABEL and counts[Status.REJECT.value]
                    }
                )
            ),
        )


def pareto(counts: Mapping[str, int]) -> Iterator[DefectShare]:
    """Yield the labels, the most frequent first, with their shares."""
    total, sofar = sum(counts.values()), 0
    for label, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        sofar += count
        yield DefectShare(label=label, count=count, share=count / total, cumulative=sofar / total)


def read_history(
    path: Path,
    by: By,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    shifts: ShiftPlan | None = None,
) -> History:
    """Count the verdicts of an archive.

    Args:
        by: what a group is.
        since: the first moment that counts.
        until: the first moment that does not count any more.
        shifts: where groups are shifts; not otherwise.

    Raises:
        InputError: the archive cannot be read, or has a moment that is none.
    """
    total = _Tally()
    tallies: dict[str, _Tally] = {}
    runs = set()
    for minute, run, name, lot, recipe, status, label, *counts in _counted(path, by, since, until):
        runs.add(run)
        try:
            named = {"run": name, "lot": lot, "recipe": recipe}
            group = named[by] if minute is None else _period(minute, shifts)
        except ValueError as error:
            raise InputError(
                f"{path} has a verdict captured at {minute!r}, which is not a time",
                hint="correct or remove that row with SQLite",
            ) from error
        for tally in (total, tallies.setdefault(group, _Tally())):
            tally.add(status, label or NO_LABEL, *counts)
    return History(
        archive=str(path),
        since=None if since is None else utc_text(since),
        until=None if until is None else utc_text(until),
        by=by,
        zone=datetime.now().astimezone().tzname() or "",
        runs=len(runs),
        total=total.group(""),
        groups=tuple(tally.group(name) for name, tally in tallies.items()),
        checks=tuple(_checks(path, since, until)),
    )


def _checks(path: Path, since: datetime | None, until: datetime | None) -> Iterator[CheckEntry]:
    where, values = _within("made_at", since, until)
    with opened_to_read(path) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'checks'").fetchone():
            return  # an archive of an earlier schema
        query = f"SELECT made_at, passed, recipe, report FROM checks {where} ORDER BY made_at"
        for made_at, passed, recipe, report in connection.execute(query, values):
            try:
                failures = tuple(str(text) for text in json.loads(report)["failures"])
            except (ValueError, TypeError, KeyError):
                failures = ("the report is damaged",)
            yield CheckEntry(made_at=made_at, passed=bool(passed), recipe=recipe, failures=failures)


def _within(
    column: str, since: datetime | None, until: datetime | None
) -> tuple[str, Sequence[str]]:
    """Return a condition on a time, as SQL, and its values."""
    where, values = [], []
    for moment, comparison in ((since, ">="), (until, "<")):
        if moment is not None:
            where.append(f"{column} {comparison} ?")
            values.append(utc_text(moment))
    return f"{'WHERE ' if where else ''}{' AND '.join(where)}", values


def _period(minute: str, shifts: ShiftPlan | None) -> str:
    moment = local_minute(minute)
    return str(moment.date()) if shifts is None else shifts.name_at(moment)


def _counted(
    path: Path, by: By, since: datetime | None, until: datetime | None
) -> Iterable[tuple[Any, ...]]:
    """Count the verdicts by minute where groups are times, by run, status and label."""
    # Any shift begins with a minute, and so does any hour of any clock.
    minute = "substr(captured_at, 1, 16)" if by in ("day", "shift") else "NULL"
    where, values = _within("captured_at", since, until)
    query = (
        f"SELECT {minute} AS minute, verdicts.run, runs.id, runs.lot, {{recipe}} AS recipe_id, "
        "status, label, count(*), sum(late), sum(status = 'pass' AND answer IS 'reject') "
        "FROM verdicts JOIN runs ON runs.number = verdicts.run "
        f"{where} GROUP BY minute, verdicts.run, recipe_id, status, label "
        "ORDER BY minute, verdicts.run"
    )
    with opened_to_read(path) as connection:
        # An archive of an earlier schema has no recipes.
        held = {name for _, name, *_ in connection.execute("PRAGMA table_info(verdicts)")}
        recipe = "recipe" if by == "recipe" and "recipe" in held else "''"
        yield from connection.execute(query.format(recipe=recipe), values)
