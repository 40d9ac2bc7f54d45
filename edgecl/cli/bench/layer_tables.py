"""The slowest layers of each side, on the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgecl.reporting.numbers import amount, decimal, milliseconds, percent, size
from runtime.benchmark.document import LatencyReport

TOP = 10


def print_layers(report: LatencyReport, console: Console | None = None) -> None:
    """Print a table of at most `TOP` layers per side that was profiled."""
    console = console or Console(highlight=False)
    for side in report.sides:
        layers = side.layers
        if layers is None:
            continue
        console.print(Text(f"layers of {side.label}, by {layers.profiler}"), soft_wrap=True)
        if layers.rows:
            table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
            table.add_column("layer", overflow="ellipsis", max_width=28)
            table.add_column("operator", overflow="ellipsis", max_width=16)
            for name in ("ms", "share", "MACs", "moved", "GMAC/s", "GB/s"):
                table.add_column(name, justify="right", no_wrap=True)
            for row in layers.slowest(TOP):
                cells = (
                    row.layer,
                    row.operator,
                    milliseconds(row.ms),
                    percent(row.share),
                    amount(row.macs),
                    size(row.bytes),
                    decimal(row.gmac_s, 1),
                    decimal(row.gb_s, 1),
                )
                # Text, not markup: a layer may be called [red].
                table.add_row(*(Text(cell) for cell in cells))
            console.print(table)
        for note in layers.notes:
            console.print(Text(f"note: {note}"), soft_wrap=True)
    if any(side.layers is not None for side in report.sides):
        console.print(
            Text("Layers were timed apart from the latency: a profiler takes time itself."),
            soft_wrap=True,
        )
