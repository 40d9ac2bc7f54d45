"""CSV files whose names keep their bytes."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

WriteRow = Callable[[Sequence[object]], object]


@contextmanager
def new_table(path: Path) -> Iterator[WriteRow]:
    """Open a CSV file anew; yields what writes a row.

    File names that are not UTF-8 keep their bytes.
    """
    with open(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
        yield csv.writer(stream).writerow
