"""Latency comparison of bundles: interleaved sides, raw times, and whether to trust them.

report = run_benchmark(Scenario(bundles=(Path("a.edgecl"), Path("b.edgecl"))))
write_report(report, Path("bench/latency.json"))
"""

from runtime.benchmark.document import LatencyReport
from runtime.benchmark.report import SCHEMA, read_report, without_raw, write_report
from runtime.benchmark.run import run_benchmark
from runtime.benchmark.scenario import Scenario

__all__ = [
    "SCHEMA",
    "LatencyReport",
    "Scenario",
    "read_report",
    "run_benchmark",
    "without_raw",
    "write_report",
]
