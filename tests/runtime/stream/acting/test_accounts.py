"""Steps and counts of verdicts that sinks act on: `act`, and a `total` that reaches through it."""

from __future__ import annotations

import threading
import time

import pytest

from runtime.stream.acting.accounts import ActAccounts
from runtime.stream.acting.pending import PendingAct
from runtime.stream.acting.sink import ActingSink
from runtime.stream.budget import Budget
from runtime.stream.ledger import Ledger
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.rules import Rules
from runtime.stream.verdict import Decision, Status, Verdict
from tests.runtime.stream.test_pipeline import FakeCamera, FakeSession, ended, images

MS = 1_000_000


class ToldSink(ActingSink):
    """Keeps what it was told; `work` runs with each act."""

    name = "told"

    def __init__(self, work=lambda: None, **options) -> None:
        super().__init__(**options)
        self.told: list[tuple[int, Status]] = []
        self.withdrawn: list[int] = []
        self._work = work
        self.start()

    def act(self, verdict, status, now_ns):
        self._work()
        self.told.append((verdict.number, status))
        return True

    def withdraw(self, verdict):
        self.withdrawn.append(verdict.number)


def accounts(sinks: int = 1, **limits: int) -> tuple[Ledger, ActAccounts]:
    ledger = Ledger(("good",))
    sink = type("Acting", (), {"acts": True})()
    return ledger, ActAccounts(ledger, Budget(limits), [sink] * sinks)


def judging(frames: int, sink: ActingSink) -> Pipeline:
    settings = Settings(Rules(Budget(), 0.5))
    pipeline = Pipeline(FakeCamera(images(frames)), FakeSession(), settings, [sink], grace_s=0.2)
    pipeline.start()
    return pipeline


def settled(acts: ActAccounts, status: Status = Status.PASS, **steps: int) -> PendingAct:
    """The act of a verdict that was captured at 0 and settled after 10 ms."""
    act = acts.pend(20 * MS)
    assert act is not None
    verdict = Verdict(1, 0, 0, Decision(status), {"total": 10 * MS, **steps}, act=act)
    acts.settle(verdict, {**verdict.steps, "emit": 1000})
    return act


def test_total_and_age_reach_through_the_act():
    ledger, acts = accounts()
    act = settled(acts, age=13 * MS)
    assert "total" not in ledger.snapshot().histograms
    assert ledger.snapshot().judged == 1
    act.done(14 * MS)
    times = {step: found.last for step, found in ledger.snapshot().histograms.items()}
    assert times == {"emit": 1000, "act": 4 * MS, "total": 14 * MS, "age": 17 * MS}
    assert ledger.snapshot().misses == 0


@pytest.mark.parametrize("limits", [{"total": 13 * MS}, {"act": 3 * MS}])
def test_an_act_beyond_its_limit_is_a_miss(limits):
    ledger, acts = accounts(**limits)
    settled(acts).done(14 * MS)
    assert (ledger.snapshot().misses, dict(ledger.snapshot().misses_by_step)) == (
        1,
        dict.fromkeys(limits, 1),
    )


@pytest.mark.parametrize(
    "end", [lambda act: act.failed(14 * MS), lambda act: act.done(1, late=True)]
)
def test_an_act_that_failed_or_was_late_is_a_miss_without_a_budget(end):
    ledger, acts = accounts()
    end(settled(acts))
    assert (ledger.snapshot().misses, dict(ledger.snapshot().misses_by_step)) == (1, {"act": 1})


@pytest.mark.parametrize("status", [Status.FAULT, Status.PASS])
def test_a_frame_is_one_miss_at_most_and_a_fault_none(status):
    ledger, acts = accounts(emit=1)
    settled(acts, status).failed(14 * MS)
    assert ledger.snapshot().misses == (0 if status is Status.FAULT else 1)


def test_the_first_that_acted_counts_and_those_that_did_not_only_where_none_did():
    ledger, acts = accounts(3)
    act = settled(acts)
    act.failed(11 * MS)
    act.spared()
    act.done(12 * MS)
    assert ledger.snapshot().histograms["act"].last == 2 * MS
    assert ledger.snapshot().misses == 0
    act = settled(acts)
    act.spared()
    act.failed(15 * MS)
    act.spared()
    assert ledger.snapshot().misses == 1
    act = settled(acts)
    for _ in range(3):
        act.spared()
    assert ledger.snapshot().histograms["act"].count == 2
    assert ledger.snapshot().histograms["total"].last == 10 * MS


def test_what_is_reported_before_the_verdict_is_settled_is_not_lost():
    ledger, acts = accounts()
    act = acts.pend(None)
    assert act is not None
    verdict = Verdict(1, 0, 0, Decision(Status.PASS), {"total": 10 * MS}, act=act)
    act.done(11 * MS)
    acts.settle(verdict, dict(verdict.steps))
    assert ledger.snapshot().histograms["total"].last == 11 * MS


def test_a_stream_counts_an_act_for_every_verdict():
    sink = ToldSink()
    pipeline = judging(30, sink)
    snapshot = ended(pipeline)
    sink.close()
    assert sink.told == [(number, Status.PASS) for number in range(30)]
    assert (sink.acted, sink.late_acts, sink.lost) == (30, 0, 0)
    assert snapshot.histograms["act"].count == snapshot.histograms["total"].count == 30
    assert snapshot.histograms["total"].minimum > snapshot.histograms["act"].minimum


def test_a_pass_whose_turn_comes_too_late_is_acted_on_as_late():
    go, said = threading.Event(), list[str]()
    sink = ToldSink(go.wait, report=said.append)
    verdicts = [
        Verdict(number, 0, 0, Decision(status), {"total": 1}, act=PendingAct(by))
        for number, status, by in (
            (0, Status.PASS, None),
            (1, Status.PASS, 1),
            (2, Status.REJECT, 1),
            (3, Status.FAULT, 1),
            (4, Status.PASS, None),
        )
    ]
    for verdict in verdicts:
        sink.emit(verdict)
    go.set()
    sink.close()
    assert [status.value for _, status in sink.told] == ["pass", "late", "late", "fault", "pass"]
    assert (sink.acted, sink.late_acts) == (5, 3)
    (line,) = said
    assert line.startswith("sink told: the verdict on frame 1 came too late")


def test_a_pass_that_turns_out_to_have_come_too_late_is_withdrawn():
    sink = ToldSink(lambda: time.sleep(0.02))
    by = time.monotonic_ns() + 15 * MS
    sink.emit(Verdict(0, 0, 0, Decision(Status.PASS), {"total": 1}, act=PendingAct(by)))
    sink.close()
    assert sink.late_acts == 1
    assert sink.told[0][1] is Status.LATE or sink.withdrawn == [0]


def test_a_driver_that_hangs_delays_no_verdict_and_what_waits_too_long_has_failed():
    go = threading.Event()
    sink = ToldSink(go.wait, capacity=4)
    pipeline = judging(20, sink)
    assert pipeline.wait(20)
    go.set()
    snapshot = pipeline.finish()
    sink.close()
    assert snapshot.judged == 20
    assert sink.lost >= 15
    assert snapshot.misses_by_step["act"] == sink.lost
    assert sink.acted + sink.lost == 20


def test_a_sink_that_cannot_tell_the_time_costs_an_act_and_not_its_thread(monkeypatch):
    sink = ToldSink()
    monkeypatch.setattr(sink, "is_over", lambda verdict, now_ns: 1 / 0)
    sink.emit(Verdict(0, 0, 0, Decision(Status.PASS), {"total": 1}, act=PendingAct(None)))
    while not sink.lost:
        time.sleep(0.001)
    monkeypatch.undo()
    sink.emit(Verdict(1, 0, 0, Decision(Status.PASS), {"total": 1}, act=PendingAct(None)))
    sink.close()
    assert (sink.acted, sink.lost) == (1, 1)


def test_a_driver_that_raises_costs_acts_and_nothing_else():
    def broken() -> None:
        raise OSError(5, "Input/output error")

    said: list[str] = []
    sink = ToldSink(broken, report=said.append)
    pipeline = judging(5, sink)
    snapshot = ended(pipeline)
    sink.close()
    assert (snapshot.judged, snapshot.misses, sink.lost, sink.acted) == (5, 5, 5, 0)
    assert sink.problem == "Input/output error"
    assert said == ["sink told: Input/output error"]
