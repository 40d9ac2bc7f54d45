"""Frames of one event: what the line kept together, or captured within a moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise

from edgecl.review.collected import CollectedImage

MOMENT_S = 0.5
"""Seconds between two frames of one camera up to which they show the same piece of metal."""


def links_of_events(images: Sequence[CollectedImage]) -> Iterator[tuple[int, int]]:
    """Yield pairs of rows that belong to one event.

    Args:
        images: N.
    """
    events: dict[str, int] = {}
    captured: defaultdict[tuple[str, str], list[tuple[float, int]]] = defaultdict(list)
    for row, image in enumerate(images):
        record = image.record
        if record is None:
            continue
        event = record.event or record.id
        if event:
            first = events.setdefault(event, row)
            if first != row:
                yield first, row
        moment = _seconds(record.verdict.captured_at)
        if moment is not None:
            captured[image.run, record.verdict.camera].append((moment, row))
    for frames in captured.values():
        frames.sort()
        for (before, first), (after, second) in pairwise(frames):
            if after - before <= MOMENT_S:
                yield first, second


def _seconds(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
