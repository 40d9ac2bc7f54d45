"""Progress on the terminal: a bar where there is one, a line now and then where there is not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:  # at run time this would load what only training needs
    from runtime.progress import StageProgress

SECONDS_BETWEEN_LINES = 20.0


def stderr_console(*, quiet: bool = False) -> Console:
    """Return the console for messages and progress; standard output is for results.

    Args:
        quiet: swallow them all.
    """
    return Console(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)


@contextmanager
def reporting(console: Console) -> Iterator[StageProgress]:
    """Yield a `report(stage, done, total, text)` that draws one bar per stage."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(compact=True),
        # File names may hold brackets, which are no markup.
        TextColumn("{task.fields[text]}", style="dim", markup=False),
    )
    with Progress(*columns, console=console, refresh_per_second=5) as progress:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int, text: str) -> None:
            if stage not in tasks:
                for task in tasks.values():
                    progress.stop_task(task)
                tasks[stage] = progress.add_task(stage, total=total, text=text)
            progress.update(tasks[stage], completed=done, total=total, text=text)

        yield report


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._stage = ""
        self._last = 0.0

    def __call__(self, stage: str, done: int, total: int, text: str) -> None:
        now = time.monotonic()
        if stage == self._stage and now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._stage, self._last = stage, now
        share = f"{done / total:4.0%}" if total else ""
        self._console.print(f"{stage:<12} {share} {text}", markup=False)
