"""Latency reports compared: what became slower, and what these times cannot tell.

comparison = compare_reports(read_report(old), read_report(new), paths=(old, new))
"""

from runtime.benchmark.comparison.comparing import compare_reports, compare_sides
from runtime.benchmark.comparison.document import (
    ComparedSide,
    Figure,
    LatencyComparison,
    ReportDifference,
)

__all__ = [
    "ComparedSide",
    "Figure",
    "LatencyComparison",
    "ReportDifference",
    "compare_reports",
    "compare_sides",
]
