"""A stream on the terminal: live while it runs, and its summary."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from runtime.counting import counted, noun
from runtime.stream.answering.comparing import AnswerComparison
from runtime.stream.answering.shadow import ShadowAccount
from runtime.stream.budget import Budget
from runtime.stream.heat_maps import HeatMapAccount
from runtime.stream.ledger import Snapshot
from runtime.stream.pipeline import Pipeline
from runtime.stream.sinks.accounts import SinkAccount
from runtime.stream.summary import StreamSummary
from runtime.stream.verdict import Verdict

SECONDS_BETWEEN_LINES = 10.0

_COLOURS = {
    "pass": "green",
    "reject": "red",
    "unsure": "yellow",
    "unknown": "bright_yellow",
    "late": "magenta",
    "fault": "bright_red",
}


@contextmanager
def stream_view(
    console: Console, pipeline: Pipeline, budget: Budget
) -> Iterator[Callable[[], None]]:
    """Yield a function that shows the stream as it is now.

    On a terminal it draws a table over itself; elsewhere it writes a line now and then.
    """
    with refreshing(
        console,
        lambda: [progress_line(pipeline.ledger.snapshot(), pipeline.seconds)],
        lambda: live_text(pipeline.ledger.snapshot(), pipeline.seconds, budget),
    ) as refresh:
        yield refresh


@contextmanager
def refreshing(
    console: Console, lines: Callable[[], Iterable[str]], drawn: Callable[[], Text]
) -> Iterator[Callable[[], None]]:
    """Yield a function that shows how things stand now.

    Args:
        lines: are written now and then where the console is no terminal.
        drawn: is drawn over itself on a terminal.
    """
    if not console.is_terminal:
        last = time.monotonic()

        def write_lines() -> None:
            nonlocal last
            if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                for line in lines():
                    console.print(line)

        yield write_lines
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda: live.update(drawn(), refresh=True)


def progress_line(snapshot: Snapshot, seconds: float) -> str:
    """The stream in one line."""
    total = snapshot.histograms.get("total")
    times = ""
    if total is not None and total.count:
        middle, tail = (value / 1e6 for value in total.percentiles([0.5, 0.99]))
        times = f", total p50 {middle:.2f} ms, p99 {tail:.2f} ms"
    return (
        f"{counted(snapshot.captured, 'frame')} in {seconds:.0f} s{times}, "
        f"{counted(snapshot.misses, 'budget miss', 'budget misses')}, "
        f"{snapshot.dropped} dropped, {snapshot.faulty} faulty"
    )


def live_text(snapshot: Snapshot, seconds: float, budget: Budget) -> Text:
    """The step times against the budget, the counts and the last verdict.

    Text in columns, for a rich table costs five times the time, which the stream would feel.
    """
    lines = [Text(_row("step, ms", ("last", "p50", "p99", "max", "limit", "over")), style="bold")]
    for step, histogram in snapshot.histograms.items():
        limit = budget.limits.get(step)
        middle, tail = histogram.percentiles([0.5, 0.99])
        times = (histogram.last, middle, tail, histogram.maximum)
        cells = [f"{value / 1e6:.3f}" for value in times]
        if limit is not None:
            cells += [f"{limit / 1e6:g}", str(snapshot.misses_by_step.get(step, 0))]
        over = limit is not None and histogram.last > limit
        lines.append(Text(_row(step, cells), style="magenta" if over else ""))
    lines += [_counts(snapshot, seconds), status_counts(snapshot.statuses)]
    lines += [*_health(snapshot.health), _last(snapshot.last)]
    text = Text("\n", no_wrap=True, overflow="crop").join(lines)
    text.no_wrap, text.overflow = True, "crop"
    return text


def print_summary(console: Console, summary: StreamSummary) -> None:
    """The summary of a stream that ended."""
    table = _step_table(("p50", "p90", "p99", "p99.9", "max", "limit", "over"))
    for step, times in summary.steps.items():
        limit = summary.budget_ms.get(step)
        shown = (times.p50_ms, times.p90_ms, times.p99_ms, times.p99_9_ms, times.max_ms)
        table.add_row(
            step,
            *(f"{value:.3f}" for value in shown),
            "" if limit is None else f"{limit:g}",
            "" if limit is None else str(summary.misses_by_step.get(step, 0)),
        )
    console.print(table)
    for line in _summary_lines(summary):
        console.print(line, soft_wrap=True)


def _summary_lines(summary: StreamSummary) -> Iterator[Text]:
    equals = "=" if summary.balanced else "≠"
    yield Text(
        f"captured {summary.captured} {equals} judged {summary.judged} "
        f"+ dropped {summary.dropped} + faulty {summary.faulty}"
        f" · {summary.frames_per_second:.1f} frames/s over {summary.seconds:.1f} s"
    )
    yield status_counts(summary.statuses)
    yield from _health(summary.health)
    if summary.budget_ms:
        yield Text(f"budget misses {summary.budget_misses} ({summary.miss_share:.2%})")
    if summary.late:
        answers = ", ".join(f"{status} {count}" for status, count in summary.late_answers.items())
        line = f"late {summary.late}, sent as {summary.on_late}"
        yield Text(f"{line}; answers that came later: {answers}" if answers else line)
    if summary.held_back:
        rule = f" (--debounce {summary.debounce})" if summary.debounce else ""  # or a recipe's own
        yield Text(f"rejects held back {summary.held_back}{rule}")
    accuracy = summary.accuracy
    if accuracy:
        yield Text(f"correct {accuracy.right} of {accuracy.known} ({accuracy.share:.2%})")
    verdicts = summary.verdicts
    line = f"{counted(verdicts.written, 'verdict')} in {verdicts.file}"
    if verdicts.lost:
        yield Text(f"{line}, {verdicts.lost} LOST ({verdicts.problem})", style="red")
    else:
        yield Text(line)
    for sink in summary.sinks:
        if sink.acted:
            late = f", {sink.late_acts} LATE" if sink.late_acts else ""
            yield Text(
                f"sink {sink.name}: {counted(sink.acted, 'act')}{late}", style="red" if late else ""
            )
        if sink.lost:
            yield Text(f"sink {sink.name}: {sink.lost} LOST ({sink.problem})", style="red")
        if sink.counts:
            yield Text(sink_counts(sink))
        if sink.waiting:
            reason = f" ({sink.problem})" if sink.problem else ""
            yield Text(f"sink {sink.name}: {sink.waiting} wait for the next start{reason}")
    if summary.shadow is not None:
        yield from _shadow(summary.shadow)
    for recipe in summary.recipes:
        shown = " · ".join(f"{status} {count}" for status, count in recipe.statuses.items())
        yield Text(f"recipe {recipe.id} ({recipe.digest[:12]}): {shown}")
    if summary.heat_maps is not None:
        yield _heat_maps(summary.heat_maps)
    counts = [f"{name} {count}" for name, count in summary.camera_statistics.items() if count]
    if counts:
        yield Text(f"camera: {' · '.join(counts)}")
    for note in (*summary.camera_outages, *summary.notes):
        yield Text(note, style="yellow")
    if summary.interrupted:
        yield Text("interrupted")


def _step_table(headings: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("step, ms")
    for heading in headings:
        table.add_column(heading, justify="right", min_width=7)
    return table


def _row(step: str, cells: Sequence[str]) -> str:
    return f"{step:<12}" + "".join(f"{cell:>10}" for cell in cells)


def _counts(snapshot: Snapshot, seconds: float) -> Text:
    rate = (snapshot.judged + snapshot.faulty) / max(seconds, 1e-9)
    text = Text(f"{counted(snapshot.captured, 'frame')}, {rate:.1f}/s")
    text.append(f" · dropped {snapshot.dropped} · faulty {snapshot.faulty} · ")
    text.append(f"misses {snapshot.misses}", style="magenta" if snapshot.misses else "")
    return text


def status_counts(statuses: Mapping[str, int]) -> Text:
    """Verdicts by status, on one line."""
    return Text(" · ").join(
        Text(f"{status} {count}", style=_COLOURS[status] if count else "dim")
        for status, count in statuses.items()
    )


def sink_counts(sink: SinkAccount) -> str:
    """Counts of a sink, on one line."""
    counts = [f"{name} {count}" for name, count in sink.counts.items() if count]
    return f"sink {sink.name}: {' · '.join(counts) or 'nothing'}"


def _health(faults: Mapping[str, int]) -> Iterator[Text]:
    """A line with the faults that were found; none where none was."""
    found = [f"{name} {count}" for name, count in faults.items() if count]
    if found:
        yield Text(f"health: {' · '.join(found)}", style="bright_red")


def _heat_maps(account: HeatMapAccount) -> Text:
    line = f"{account.kept} heat maps in {account.folder}"
    if account.written > account.kept:
        line += f", the newest of {account.written}"
    if account.left_out:
        line += f"; {account.left_out} rejects came too fast for one"
    if account.failed:
        return Text(f"{line}; {account.failed} FAILED ({account.problem})", style="red")
    return Text(line)


def _shadow(account: ShadowAccount) -> Iterator[Text]:
    found = account.comparison
    line = f"shadow {account.model}: {comparison_line(found)}"
    if account.dropped:
        line += f"; {account.dropped} came while it was busy"
    yield Text(line)
    if found.disagreed:
        yield Text(f"  {', '.join(comparison_parts(found))}; in {account.file}")
    if account.failed or account.lost:
        told = f"shadow: {account.failed} not answered, {counted(account.lost, 'line')} LOST"
        yield Text(f"{told} ({account.problem})", style="red")


def comparison_line(found: AnswerComparison) -> str:
    """Number and share of frames that two models answered differently."""
    verb = noun(found.disagreed, "is", "are")
    line = f"{found.disagreed} of {counted(found.frames, 'frame')} {verb} answered differently"
    if found.least is None or found.most is None:
        return line
    return f"{line} ({found.share:.2%}; 95 % interval {found.least:.2%} to {found.most:.2%})"


def comparison_parts(found: AnswerComparison) -> list[str]:
    """Differences by both statuses."""
    parts = [f"{change} {count}" for change, count in found.changes.items()]
    return [*parts, f"another label {found.relabelled}"] if found.relabelled else parts


def _last(verdict: Verdict | None) -> Text:
    if verdict is None:
        return Text("waiting for the first frame", style="dim")
    decision = verdict.decision
    text = Text(f"frame {verdict.number}: ")
    text.append(decision.status.value, style=_COLOURS[decision.status.value])
    if decision.label:
        text.append(f" {decision.label} {decision.confidence:.1%}")
    if decision.reason:
        text.append(f" {decision.reason}", style="dim")
    return text
