"""Test under camera shifts, in words."""

from __future__ import annotations

from edgecl.learning.findings import ShiftReport
from edgecl.reporting.numbers import percent


def shifts_text(report: ShiftReport) -> str:
    """Describe what was asked, on how many images, and which shift costs most."""
    which = "All" if report.images == report.of else f"{report.images} of the"
    worst = report.worst
    text = (
        f"{which} {report.of} test images as a drifting camera would take them; the shifts were "
        f"applied to {report.shifted}. Most is lost under {worst.name}: accuracy "
        f"{percent(worst.accuracy)}, without a shift {percent(report.accuracy)}"
    )
    if worst.escapes is not None and report.escapes is not None:
        text += (
            f"; {percent(worst.escapes)} of the defects pass, without a shift "
            f"{percent(report.escapes)}"
        )
    return f"{text}."
