"""Accounts of acts: the times of a frame are complete once the machine has been told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from runtime.stream.acting.pending import PendingAct
from runtime.stream.budget import ACT, AGE, TOTAL, Budget
from runtime.stream.ledger import Ledger
from runtime.stream.sinks.base import Sink
from runtime.stream.verdict import Status, Verdict

_THROUGH = (TOTAL, AGE)


class ActAccounts:
    """Settles verdicts in the ledger; those that sinks act on in two steps.

    Counts and the steps before the act are settled at once. `act`, and `total` and `age`, which
    then reach through it, follow when the first acting sink has acted. A frame whose act failed or
    came too late is a miss of `act`, with or without a budget for it.

    Args:
        sinks: of the stream; those with `acts` report.
    """

    def __init__(self, ledger: Ledger, budget: Budget, sinks: Sequence[Sink]) -> None:
        self._ledger = ledger
        self._budget = budget
        self._acting = sum(sink.acts for sink in sinks)

    def pend(self, deadline_ns: int | None) -> PendingAct | None:
        """Return what goes with a verdict to the acting sinks; None where there are none."""
        return PendingAct(deadline_ns, self._acting) if self._acting else None

    def settle(self, verdict: Verdict, times: Mapping[str, int]) -> None:
        """Count a verdict that went to the sinks.

        Args:
            times: nanoseconds by step, up to there.
        """
        if verdict.act is None:
            self._ledger.settle(verdict, times, self._budget.exceeded(times))
            return
        before = {step: time for step, time in times.items() if step not in _THROUGH}
        exceeded = self._budget.exceeded(before)
        self._ledger.settle(verdict, before, exceeded)
        decision = verdict.decision
        counted = bool(exceeded) or decision.late or decision.status is Status.FAULT
        verdict.act.tell(partial(self._close, verdict, counted))

    def _close(self, verdict: Verdict, counted: bool, ended_ns: int | None, missed: bool) -> None:
        """Add the times of an act that ended.

        Args:
            counted: whether the frame is a miss already, or none that can be one.
            ended_ns: None where no act was wanted.
            missed: whether it was late, or failed.
        """
        told_ns = verdict.captured_ns + verdict.steps[TOTAL]
        act = 0 if ended_ns is None else max(0, ended_ns - told_ns)
        times = {step: verdict.steps[step] + act for step in _THROUGH if step in verdict.steps}
        if ended_ns is not None:
            times[ACT] = act
        exceeded = self._budget.exceeded(times)
        if missed and ACT not in exceeded:
            exceeded.append(ACT)
        self._ledger.add_act(times, exceeded, miss=bool(exceeded) and not counted)
