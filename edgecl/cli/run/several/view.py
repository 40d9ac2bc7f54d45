"""Several streams on the terminal: live while they run, and their summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from edgecl.cli.run.view import (
    print_summary,
    progress_line,
    refreshing,
    sink_counts,
    status_counts,
)
from runtime.counting import counted
from runtime.stream.station.station import Station
from runtime.stream.station.summary import StationSummary


@contextmanager
def station_view(console: Console, station: Station) -> Iterator[Callable[[], None]]:
    """Yield a function that shows all streams as they are now, a line each.

    On a terminal the lines are drawn over themselves; elsewhere they are written now and then.
    """
    with refreshing(
        console,
        lambda: station_lines(station),
        lambda: Text("\n".join(station_lines(station)), no_wrap=True, overflow="crop"),
    ) as refresh:
        yield refresh


def station_lines(station: Station) -> Iterator[str]:
    """Each stream in one line."""
    for name, pipeline in station.pipelines.items():
        yield f"{name}: {progress_line(pipeline.ledger.snapshot(), pipeline.seconds)}"


def print_station(console: Console, summary: StationSummary) -> None:
    """The summaries of cameras that ended, and what was said of all of them."""
    for name, camera in summary.cameras.items():
        console.print(Text(f"camera {name}", style="bold"))
        print_summary(console, camera)
        if camera.error:
            console.print(Text(camera.error, style="red"), soft_wrap=True)
    for line in _part_lines(summary):
        console.print(line, soft_wrap=True)
    for sink in summary.sinks:
        if sink.counts:
            console.print(sink_counts(sink), markup=False, soft_wrap=True)
        if sink.lost:
            console.print(
                Text(f"sink {sink.name}: {sink.lost} LOST ({sink.problem})", style="red"),
                soft_wrap=True,
            )
    for note in summary.notes:
        console.print(Text(note, style="yellow"), soft_wrap=True)


def _part_lines(summary: StationSummary) -> Iterator[Text]:
    parts, file = summary.parts, summary.parts_file
    if parts is None or file is None:
        return
    yield Text("parts", style="bold")
    yield status_counts(parts.statuses)
    missing = [f"{name} {count}" for name, count in parts.missing.items() if count]
    if missing:
        yield Text(f"parts without a camera: {' · '.join(missing)}", style="bright_red")
    counts = {
        "late": parts.late_frames,
        "repeated": parts.repeated_frames,
        "unmatched": parts.unmatched_frames,
    }
    found = [f"{name} {count}" for name, count in counts.items() if count]
    if found:
        yield Text(f"frames of no part: {' · '.join(found)}", style="yellow")
    line = f"{counted(file.written, 'verdict')} on parts in {file.file}"
    if file.lost:
        yield Text(f"{line}, {file.lost} LOST ({file.problem})", style="red")
    else:
        yield Text(line)
