"""Rules for the machine's conditions: what was sampled between turns."""

from __future__ import annotations

from msgspec.structs import replace

from runtime.benchmark.conditions.document import Conditions, CoreClock
from runtime.benchmark.conditions.nvml import CHOSEN
from runtime.benchmark.document import LatencyReport
from runtime.benchmark.facts.finding import INVALID, NOTE, Finding

SWING_LIMIT = 0.10
"""Largest swing of the cores' clock, as a share of it."""


def with_conditions(report: LatencyReport, conditions: Conditions | None) -> LatencyReport:
    """Return the report with the conditions, and with what the rules find in them."""
    if conditions is None:
        return report
    # At a rate the device idles between two frames, and its clock follows: a line sees that too.
    steady = report.scenario.rate_hz is None
    found = judge_conditions(conditions, steady=steady)
    spoilt = any(finding.severity == INVALID for finding in found)
    return replace(
        report,
        conditions=conditions,
        findings=(*report.findings, *found),
        valid=report.valid and not spoilt,
        sides=tuple(replace(side, valid=False) for side in report.sides)
        if spoilt
        else report.sides,
    )


def judge_conditions(conditions: Conditions, *, steady: bool = True) -> list[Finding]:
    """The rules for what was seen between turns.

    Args:
        conditions: of the machine.
        steady: whether the clock has to be; without it an unsteady one is a note.
    """
    findings = []
    clock = conditions.core_clock
    if clock is not None and clock.swing > SWING_LIMIT:
        findings.append(_unsteady(clock, INVALID if steady else NOTE))
    for gpu in conditions.gpus:
        held = [reason for reason in gpu.throttled if reason not in CHOSEN]
        if held:
            findings.append(
                Finding(
                    "gpu_throttled",
                    INVALID,
                    f"the clock of {gpu.name} was held back by {', '.join(held)}",
                    "let it cool down, or raise its power limit: nvidia-smi -q -d PERFORMANCE",
                )
            )
    return findings


def _unsteady(clock: CoreClock, severity: str) -> Finding:
    told = clock.source == "told"
    seen = (
        f"the fastest core's clock swung by {clock.swing:.0%} of its median"
        if told
        else f"a fixed piece of work took up to {clock.swing:.0%} longer in one part of the run "
        "than in another"
    )
    return Finding(
        "unsteady_clock",
        severity,
        f"{seen} (limit {SWING_LIMIT:.0%})",
        "sudo cpupower frequency-set -g performance, or let the machine cool down"
        if told
        else "measure on the box itself, or when nothing else runs on it",
    )
