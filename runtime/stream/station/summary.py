"""summary.json of several cameras, also what `edgecl run --json` prints of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from msgspec.structs import replace

from runtime.files.document import Document
from runtime.stream.parts.summary import PartsAccount
from runtime.stream.sinks import JsonLinesSink, Sink
from runtime.stream.sinks.accounts import SinkAccount, VerdictFile, sink_accounts, verdict_file
from runtime.stream.summary import StreamSummary


class StationSummary(Document, frozen=True, kw_only=True):
    """Summary of several cameras that one process judged.

    Args:
        cameras: the summary of each, by its name, as of a stream of its own.
        balanced: whether the accounts of all of them add up.
        seconds: how long the station ran.
        started: the wall clock, ISO 8601.
        model: path of the bundle, graph or engine.
        interrupted: whether Ctrl-C or SIGTERM ended it.
        errors: what ended cameras early, by their names.
        notes: what the user should know of all of them.
        sinks: where the verdicts of all, or those on parts, went, beside each camera's own file.
        parts: counts of the parts that all cameras see; None where they are not joined.
        parts_file: the file of the parts' verdicts.
    """

    WHAT: ClassVar[str] = "the summary of several cameras"
    REMEDY: ClassVar[str] = "pass a summary.json written by 'edgecl run' with several cameras"

    schema: Literal[1] = 1
    cameras: dict[str, StreamSummary]
    balanced: bool
    seconds: float
    started: str
    model: str
    interrupted: bool
    errors: dict[str, str]
    notes: tuple[str, ...]
    sinks: tuple[SinkAccount, ...]
    parts: PartsAccount | None = None
    parts_file: VerdictFile | None = None


def summarise_station(
    cameras: Mapping[str, StreamSummary],
    *,
    seconds: float,
    notes: Sequence[str] = (),
    sinks: Sequence[Sink] = (),
    parts: PartsAccount | None = None,
    parts_sink: JsonLinesSink | None = None,
) -> StationSummary:
    """Return the summary of cameras that ended.

    Args:
        cameras: at least one, by name.
        seconds: how long the station ran.
        notes: what was said of all of them.
        sinks: that the verdicts of all went to; what these lost is told here, not by camera.
        parts: where parts were joined.
        parts_sink: the file of their verdicts.
    """
    first = next(iter(cameras.values()))
    return StationSummary(
        cameras={name: replace(summary, sinks=()) for name, summary in cameras.items()},
        balanced=all(summary.balanced for summary in cameras.values()),
        seconds=seconds,
        started=first.started,
        model=first.model,
        interrupted=first.interrupted,
        errors={
            name: summary.error for name, summary in cameras.items() if summary.error is not None
        },
        notes=tuple(notes),
        sinks=sink_accounts(sinks),
        parts=parts,
        parts_file=None if parts_sink is None else verdict_file(parts_sink),
    )
