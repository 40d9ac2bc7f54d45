"""A camera's report on the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from runtime.camera.examination.document import CameraReport, FrameSize, NetworkFinding
from runtime.counting import counted

_STYLES = {"good": "green", "poor": "red", "unknown": "dim"}
_MARKS = {"good": "✓", "poor": "✗", "unknown": "·"}


def print_report(console: Console, report: CameraReport) -> None:
    """Print what was found, a line each; what needs a hand is red."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(report):
        table.add_row(Text(name), value)
    console.print(table)
    for finding in report.network or ():
        console.print(_finding(finding), soft_wrap=True)
    for note in report.notes:
        console.print(Text(note, style="yellow"), soft_wrap=True)


def _rows(report: CameraReport) -> Iterator[tuple[str, Text]]:
    yield "camera", Text(report.camera)
    if report.sizes:
        yield "size", Text(", ".join(_size(size, report) for size in report.sizes))
    if report.settings:
        listed = ", ".join(f"{feature} {value}" for feature, value in report.settings.items())
        yield "settings", Text(listed)
    rate = "" if report.frames_per_second is None else f", {report.frames_per_second:.2f} frames/s"
    yield "frames", Text(f"{report.frames} in {report.seconds:.1f} s{rate}")
    if report.intervals is not None:
        times = report.intervals
        yield (
            "interval",
            Text(
                f"p50 {times.p50_ms:.2f} ms, p99 {times.p99_ms:.2f} ms, max {times.max_ms:.2f} ms"
            ),
        )
    yield "losses", _losses(report)
    for fault in report.faults:
        yield "fault", Text(fault, style="red")
    light = report.light
    if light is not None:
        span = f"{light.brightness_min:.1%} to {light.brightness_max:.1%}"
        yield "brightness", Text(f"{light.brightness:.1%} of white ({span})")
        yield "saturated", Text(f"{light.saturated:.2%} of the pixels; black {light.black:.2%}")
        yield "focus", Text(f"{light.focus:.1f} (gradient energy: the larger, the sharper)")
    counts = ", ".join(f"{name} {count}" for name, count in report.statistics.items() if count)
    if counts:
        yield "driver", Text(counts)
    if report.snapshot is not None:
        yield "snapshot", Text(report.snapshot)
    if report.recording is not None:
        recording = report.recording
        skipped = f", {recording.skipped} left out between" if recording.skipped else ""
        yield (
            "recorded",
            Text(f"{counted(recording.images, 'image')} in {recording.folder}{skipped}"),
        )


def _size(size: FrameSize, report: CameraReport) -> str:
    colour = "gray" if size.channels == 1 else "colour"
    bits = f", {report.bits} bits used" if size.dtype == "uint16" and report.bits else ""
    often = f" ({counted(size.frames, 'frame')})" if len(report.sizes) > 1 else ""
    return f"{size.width}×{size.height} {colour}, {size.dtype}{bits}{often}"


def _losses(report: CameraReport) -> Text:
    lost = report.statistics.get("lost_frames", 0) + report.statistics.get("missed_triggers", 0)
    outages = report.losses + report.stalls
    text = f"{counted(lost, 'frame')} lost, {report.faulty} faulty, {counted(outages, 'outage')}"
    if outages:
        text += f" of {report.seconds_lost:.1f} s"
    return Text(text, style="red" if lost or report.faulty or outages else "")


def _finding(finding: NetworkFinding) -> Text:
    text = Text(f"{_MARKS[finding.state]} {finding.name}: ", style=_STYLES[finding.state])
    text.append(finding.value, style="default")
    if finding.next_step:
        text.append(f"  → {finding.next_step}", style="default")
    return text
