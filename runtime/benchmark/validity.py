"""Whether a measurement can be trusted, by stated rules, and what to do where it cannot.

Each rule gives a finding: `invalid` means that the milliseconds should not be quoted; `note` is
worth knowing. Every finding names the next thing to try.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.benchmark.facts.finding import INVALID, NOTE, Finding
from runtime.benchmark.facts.scenario import ScenarioKind
from runtime.benchmark.facts.side import Throughput
from runtime.benchmark.measuring.conduct import judge_told
from runtime.machine import Activity
from runtime.statistics import count_needed, quantile_interval

DRIFT_LIMIT = 0.05
"""Largest change of the median from the first half of the rounds to the second."""

WIDTH_LIMIT = 0.05
"""Largest half width of the median's interval, as a share of the median."""

OTHER_LOAD_LIMIT = 0.10
"""Most CPU that other processes may take, in cores."""

STEAL_LIMIT = 0.02
"""Most CPU that the hypervisor may give to other guests, in cores."""

CLOCK_LIMIT = 0.10
"""Largest fall of the cores' mean clock from before to after."""

MAJOR_FAULT_LIMIT = 10
"""Most pages that the process may have to read from a disk while it measures."""

SWAP_LIMIT = 256
"""Most pages that the machine may swap in or out meanwhile: a mebibyte."""


def judge_side(
    totals: NDArray[np.int64], kind: ScenarioKind = "single-stream", **told: Any
) -> list[Finding]:
    """The rules for one side.

    Args:
        totals: nanoseconds of the whole judgement, rounds × queries.
        kind: of the scenario.
        told: what the report tells of the side, by field of `SideReport`.
    """
    findings = []
    if kind == "offline":
        findings += _too_few_turns(told.get("throughput"))
    else:
        findings += _too_few(totals.size)
    if len(totals) >= 2:
        findings += _drift(totals)
    findings += _width(totals)
    return [*findings, *judge_told(**told)]


def judge_machine(
    before: Activity, after: Activity, wall_s: float, governor: str | None
) -> list[Finding]:
    """The rules for the machine during the measurement.

    Args:
        before: the counters at its start.
        after: the same at its end.
        wall_s: seconds between the two.
        governor: the frequency governor, where one is readable.
    """
    findings = [
        *_other_load(before, after, wall_s),
        *_heat(before, after),
        *_memory(before, after),
    ]
    if governor and governor != "performance":
        findings.append(
            Finding(
                "governor",
                NOTE,
                f"the frequency governor is {governor}, so the clock follows the load",
                "sudo cpupower frequency-set -g performance",
            )
        )
    return findings


def other_load(before: Activity, after: Activity, wall_s: float) -> float | None:
    """CPU that other processes took, in cores; None where the machine does not tell."""
    if before.busy_s is None or after.busy_s is None or wall_s <= 0:
        return None
    others = (after.busy_s - before.busy_s) - (after.own_s - before.own_s)
    return max(0.0, others / wall_s)


def steal(before: Activity, after: Activity, wall_s: float) -> float | None:
    """CPU that the hypervisor gave to other guests, in cores; None where not told."""
    if before.steal_s is None or after.steal_s is None or wall_s <= 0:
        return None
    return max(0.0, (after.steal_s - before.steal_s) / wall_s)


def counted_between(before: int | None, after: int | None) -> int | None:
    """Return how much a counter rose; None where it is not there."""
    return None if before is None or after is None else max(0, after - before)


def _memory(before: Activity, after: Activity) -> list[Finding]:
    findings = []
    faults = counted_between(before.major_faults, after.major_faults)
    if faults is not None and faults > MAJOR_FAULT_LIMIT:
        findings.append(
            Finding(
                "page_faults",
                INVALID,
                f"{faults} pages had to be read from the disk (limit {MAJOR_FAULT_LIMIT})",
                "measure again, now that they are read; 'free -m' shows whether memory is short",
            )
        )
    pages = counted_between(before.swapped_pages, after.swapped_pages)
    if pages is not None and pages > SWAP_LIMIT:
        findings.append(
            Finding(
                "swapping",
                INVALID,
                f"the machine swapped {pages} pages (limit {SWAP_LIMIT})",
                "stop what takes memory ('ps aux --sort=-rss | head'), or 'sudo swapoff -a'",
            )
        )
    return findings


def _too_few_turns(throughput: Throughput | None) -> list[Finding]:
    if throughput is None or throughput.interval is not None:
        return []
    needed = count_needed(0.5)
    return [
        Finding(
            "too_few_turns",
            INVALID,
            f"fewer than {needed} turns are too few for an interval of the throughput",
            "edgecl bench … --frames 1600",
        )
    ]


def _too_few(count: int) -> list[Finding]:
    needed = count_needed(0.99)
    if count >= needed:
        return []
    return [
        Finding(
            "too_few_frames",
            INVALID,
            f"{count} frames are too few for p99, which needs {needed}",
            "edgecl bench … --frames 400",
        )
    ]


def _drift(totals: NDArray[np.int64]) -> list[Finding]:
    half = len(totals) // 2
    first, second = float(np.median(totals[:half])), float(np.median(totals[half:]))
    change = second / first - 1
    if abs(change) <= DRIFT_LIMIT:
        return []
    return [
        Finding(
            "drift",
            INVALID,
            f"the second half was {abs(change):.1%} {'slower' if change > 0 else 'faster'} than "
            f"the first (limit {DRIFT_LIMIT:.0%})",
            "edgecl bench … --warmup 300, on an otherwise idle machine",
        )
    ]


def _width(totals: NDArray[np.int64]) -> list[Finding]:
    ordered = np.sort(totals, axis=None)
    interval = quantile_interval(ordered, 0.5)
    if interval is None:
        return []
    half = (interval[1] - interval[0]) / 2 / float(np.median(ordered))
    if half <= WIDTH_LIMIT:
        return []
    return [
        Finding(
            "uncertain_median",
            INVALID,
            f"the median is only known to ±{half:.1%} (limit ±{WIDTH_LIMIT:.0%})",
            f"edgecl bench … --frames {_round_up(4 * totals.size)}",
        )
    ]


def _other_load(before: Activity, after: Activity, wall_s: float) -> list[Finding]:
    findings = []
    others = other_load(before, after, wall_s)
    if others is not None and others > OTHER_LOAD_LIMIT:
        findings.append(
            Finding(
                "other_load",
                INVALID,
                f"other processes used {others:.2f} cores (limit {OTHER_LOAD_LIMIT:.2f})",
                "find them with 'top -b -n 1 | head -20', stop them and measure again",
            )
        )
    taken = steal(before, after, wall_s)
    if taken is not None and taken > STEAL_LIMIT:
        findings.append(
            Finding(
                "steal",
                INVALID,
                f"the hypervisor gave {taken:.2f} cores to other guests (limit {STEAL_LIMIT:.2f})",
                "measure on the box itself, or on a virtual machine with dedicated cores",
            )
        )
    return findings


def _heat(before: Activity, after: Activity) -> list[Finding]:
    findings = []
    if before.throttles is not None and after.throttles is not None:
        times = after.throttles - before.throttles
        if times > 0:
            findings.append(
                Finding(
                    "throttled",
                    INVALID,
                    f"cores were throttled by heat or power {times} times",
                    "let the machine cool down; check its airflow and power supply",
                )
            )
    if before.frequencies_mhz and after.frequencies_mhz:
        first = float(np.mean(before.frequencies_mhz))
        second = float(np.mean(after.frequencies_mhz))
        if first > 0 and second < first * (1 - CLOCK_LIMIT):
            findings.append(
                Finding(
                    "clock_fell",
                    INVALID,
                    f"the clock fell from {first:.0f} to {second:.0f} MHz",
                    "sudo cpupower frequency-set -g performance, or let the machine cool down",
                )
            )
    return findings


def _round_up(count: int) -> int:
    return -(-count // 100) * 100
