"""Rules for how a side behaved: its warm-up, its arrivals and its answers."""

from __future__ import annotations

from typing import Any

from runtime.benchmark.facts.finding import INVALID, NOTE, Finding
from runtime.benchmark.facts.side import Schedule, SideAnswers, WarmUp
from runtime.counting import counted, noun

BEHIND_LIMIT = 0.01
"""Largest share of arrivals that may come behind their schedule."""

BUSY_LIMIT = 0.95
"""Share of the time above which a side that judges random arrivals has a queue without end."""


def judge_told(
    *,
    warm_up: WarmUp | None = None,
    schedule: Schedule | None = None,
    answers: SideAnswers | None = None,
    **others: Any,
) -> list[Finding]:
    """The rules for what is told of a side beside its times; other fields have none."""
    findings = []
    if warm_up is not None and warm_up.stable is False:
        findings.append(
            Finding(
                "not_warm",
                INVALID,
                f"the times were still changing after {warm_up.queries} warm-up queries",
                "edgecl bench … --soak 5, or stop what else runs here",
            )
        )
    if schedule is not None:
        findings += _arrivals(schedule)
    if answers is not None:
        findings += _said(answers)
    return findings


def _arrivals(schedule: Schedule) -> list[Finding]:
    findings = []
    share = schedule.behind / schedule.arrivals
    if schedule.behind:
        findings.append(
            Finding(
                "behind_schedule",
                INVALID if share > BEHIND_LIMIT else NOTE,
                f"{schedule.behind} of {schedule.arrivals} arrivals came more than "
                f"{schedule.limit_ms:g} ms behind their schedule (limit {BEHIND_LIMIT:.0%})",
                "leave it a core: edgecl bench … --threads 1, or stop what else runs here",
            )
        )
    if schedule.dropped:
        findings.append(
            Finding(
                "dropped_frames",
                INVALID,
                f"{counted(schedule.dropped, 'frame')} {noun(schedule.dropped, 'was', 'were')} "
                "lost, since the next one came before its turn",
                "use a lower --cadence, a faster precision or engine, or --workers 2",
            )
        )
    if schedule.busy is not None and schedule.busy > BUSY_LIMIT:
        findings.append(
            Finding(
                "overloaded",
                INVALID,
                f"the side was busy for {schedule.busy:.0%} of the time (limit "
                f"{BUSY_LIMIT:.0%}): its queue grows for as long as frames arrive",
                "use a lower --rate, or a faster precision or engine",
            )
        )
    return findings


def _said(answers: SideAnswers) -> list[Finding]:
    findings = []
    if answers.faults:
        findings.append(
            Finding(
                "no_answer",
                INVALID,
                f"{counted(answers.faults, 'frame')} got no answer, or one of NaN or infinity",
                "edgecl inspect BUNDLE, or use another --engine or --precision",
            )
        )
    if answers.problem or answers.other_labels:
        wrong = answers.problem or (
            f"{answers.other_labels} of {answers.golden} golden images got another label than "
            "from the trained network"
        )
        findings.append(
            Finding(
                "other_answers",
                INVALID,
                wrong,
                "use another --engine or --precision, or update the engine",
            )
        )
    return findings
