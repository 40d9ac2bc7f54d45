"""Counts of the parts that several cameras see."""

from __future__ import annotations

from runtime.files.document import Part


class PartsAccount(Part, frozen=True, kw_only=True):
    """Counts of parts.

    Args:
        parts: how many had a verdict.
        statuses: of the parts, by status.
        missing: in how many parts each camera was missing.
        late_frames: frames that came after the verdict on their part.
        repeated_frames: further frames of one camera with one number.
        unmatched_frames: frames of a camera that was lost, and no longer counts the triggers.
        window_ms: within which captures show one part; None where frame numbers tell.
        deadline_ms: from a part's first capture to its verdict; None where cameras are waited for.
    """

    parts: int
    statuses: dict[str, int]
    missing: dict[str, int]
    late_frames: int
    repeated_frames: int
    unmatched_frames: int
    window_ms: float | None
    deadline_ms: float | None
