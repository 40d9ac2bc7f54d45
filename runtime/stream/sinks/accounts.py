"""Accounts of sinks: what they took, and what they lost."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.files.document import Part
from runtime.stream.sinks.base import Sink
from runtime.stream.sinks.json_lines import JsonLinesSink


class VerdictFile(Part, frozen=True, kw_only=True):
    """File of the verdicts.

    Args:
        file: path.
        written: lines in it.
        lost: verdicts that did not fit while the disk refused them, or whose file somebody
            removed or moved.
        problem: what the disk said, or happened to the file; None where it took all.
        rotated: files that were closed; the newest lines are in `file`.
        removed: closed files that made room for newer ones.
    """

    file: str
    written: int
    lost: int
    problem: str | None
    rotated: int = 0
    removed: int = 0


class SinkAccount(Part, frozen=True, kw_only=True):
    """A further sink: verdicts that are lost, or wait for the next start; the last problem.

    Args:
        counts: what else it counts, by name.
        acted: verdicts that a sink which acts on the machine has acted on.
        late_acts: of those, the ones that came too late, and were acted on as `late`.
    """

    name: str
    lost: int
    waiting: int = 0
    problem: str | None
    counts: dict[str, int] = {}
    acted: int = 0
    late_acts: int = 0


def verdict_file(sink: JsonLinesSink) -> VerdictFile:
    """Return what a file of verdicts took."""
    return VerdictFile(
        file=str(sink.path),
        written=sink.written,
        lost=sink.lost,
        problem=sink.problem or None,
        rotated=sink.rotated,
        removed=sink.removed,
    )


def sink_accounts(sinks: Sequence[Sink]) -> tuple[SinkAccount, ...]:
    """Return what further sinks lost."""
    return tuple(
        SinkAccount(
            name=sink.name,
            lost=sink.lost,
            waiting=sink.waiting,
            problem=sink.problem or None,
            counts=dict(sink.counts),
            acted=sink.acted,
            late_acts=sink.late_acts,
        )
        for sink in sinks
    )
