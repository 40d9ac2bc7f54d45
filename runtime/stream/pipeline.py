"""The stream: capture beside judgement, a watchdog over both, and an end that adds up."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from runtime.camera.base import Camera, Frame
from runtime.health import HealthLimits
from runtime.interpreter import tuned_for_latency
from runtime.novelty import DriftLevel, Novelty
from runtime.session.base import Session
from runtime.stream.capture.capturing import CaptureLoop, handover_for
from runtime.stream.capture.handover import Ticket
from runtime.stream.ledger import Ledger, Snapshot
from runtime.stream.recipes.judges import RecipeJudges, Timetable
from runtime.stream.recipes.recipe import LineRecipe, RecipeMark
from runtime.stream.rules import Rules
from runtime.stream.service.liveness import Moment, Progress
from runtime.stream.sharing.succession import Succession
from runtime.stream.sinks.base import Sink, observing
from runtime.stream.sinks.isolated import IsolatedSink, isolated
from runtime.stream.verdict import Verdict
from runtime.stream.watchdog import Watchdog

LOG = logging.getLogger("edgecl.stream")

PROMPT_S = 0.5
"""Time that the end of the stream waits for a read before it closes the camera, in seconds."""

GRACE_S = 3.0
"""Time that a hanging camera or model may hold up the end of the stream, in seconds."""

ACT_GRACE_S = 1.0
"""Time that the end of the stream waits for acts on the machine that are open, in seconds."""


@dataclass(frozen=True)
class Settings:
    """Options of a stream.

    Args:
        rules: what frames are held to.
        every_frame: judge all frames, the camera waits; False: the newest frame wins.
        frames: end after this many captured frames; None for never.
        health: beyond which limits a frame is at fault; None to look at no frame's health.
        novelty: from where on a frame is unknown; None to call none so.
    """

    rules: Rules = field(default_factory=Rules)
    every_frame: bool = True
    frames: int | None = None
    health: HealthLimits | None = None
    novelty: Novelty | None = None


class Pipeline:
    """One stream from a camera to the sinks.

    `start` it, `wait` until it ended, and `finish` it: what went wrong is raised by `finish`
    alone, after the accounts were closed. Camera, session and sinks are the caller's to close; a
    sink that may block or raise is isolated by the pipeline, which then closes it.

    Args:
        camera: where frames come from.
        session: the model; for several workers one that several threads may use, as a
            `SessionPool` gives.
        settings: how the stream runs.
        sinks: where verdicts go.
        grace_s: how long a camera or model that hangs may hold up the end.
        own_process: tune the interpreter for latency while the stream runs. For a process whose
            job is this stream.
        late_sink: takes answers that came after the frame's verdict; the caller closes it. Its
            `emit` has to return at once.
        on_reject, on_verdict: see `Judge`.
        mark: of the recipe that the stream begins with; None for a stream without recipes.
        workers: frames that are judged at the same time; their verdicts stay in order.

    Raises:
        InputError: a rule names a label that the model has not.
    """

    def __init__(
        self,
        camera: Camera,
        session: Session,
        settings: Settings,
        sinks: Sequence[Sink] = (),
        *,
        grace_s: float = GRACE_S,
        own_process: bool = False,
        late_sink: Sink | None = None,
        on_reject: Callable[[Frame, Verdict], None] | None = None,
        on_verdict: Callable[[Frame, Verdict], None] | None = None,
        mark: RecipeMark | None = None,
        workers: int = 1,
    ) -> None:
        mark = mark or RecipeMark()
        self.ledger = Ledger(session.contract.labels, (mark.id, mark.digest))
        self.notes: list[str] = []
        self._camera = camera
        self._settings = settings
        self._grace_s = grace_s
        self.sinks = [isolated(sink) for sink in sinks]
        self._isolated = [
            sink
            for sink, given in zip(self.sinks, sinks, strict=True)
            if isinstance(sink, IsolatedSink) and sink is not given
        ]
        self._own_process = own_process
        self._succession = Succession(ahead=workers, done=Ticket.leave)
        self._late_sink = late_sink
        self._observe = observing(self.sinks, on_verdict)
        recipe = replace(LineRecipe.of(session, settings, mark), on_reject=on_reject)
        self._timetable = Timetable(self._judges_of(recipe, workers))
        budget_ns = settings.rules.budget.total
        self._handover = handover_for(
            every_frame=settings.every_frame,
            live=camera.live,
            hurried=budget_ns is not None,
            workers=workers,
        )
        self._watchdog = None if budget_ns is None else Watchdog(budget_ns, self._expire)
        self._ended = threading.Event()
        self._judging = workers  # threads that still judge
        self._counting = threading.Lock()
        self._taken = 0
        self._failure: BaseException | None = None
        self._started_ns = self._ended_ns = 0
        self._tuning = ExitStack()
        self._capture = CaptureLoop(
            camera,
            self.ledger,
            self._timetable,
            self._handover,
            frames=settings.frames,
            watchdog=self._watchdog,
            budget_ns=budget_ns,
        )
        self._capturing = self._thread(self._capture.run, "capture")
        self._progress = [Progress() for _ in range(workers)]
        self._workers = [self._thread(partial(self._work, n), "judge") for n in range(workers)]

    @property
    def seconds(self) -> float:
        """Return how long the stream has run, or ran."""
        return ((self._ended_ns or time.monotonic_ns()) - self._started_ns) / 1e9

    @property
    def last_frame(self) -> Frame | None:
        """Return the latest frame with pixels; None before the first."""
        return self._capture.last_frame

    @property
    def settings(self) -> Settings:
        """Return how the stream runs now."""
        return self._settings

    @property
    def moment(self) -> Moment:
        """Return what shows whether the stream works."""
        return Moment.of(self._progress, self._camera)

    def change(self, rules: Rules, health: HealthLimits | None) -> None:
        """Judge by other rules from the next frame on; a frame's deadline is that of its capture.

        Args:
            rules: with a total budget where there was one, and without one where there was none.
            health: other limits; without effect where no frame's health is looked at.

        Raises:
            InputError: a rule names a label that the model has not; then nothing is changed.
        """
        self.judges.change(rules, health)
        self._settings = replace(self._settings, rules=rules, health=health)
        if self._watchdog is not None:
            self._capture.budget_ns = rules.budget.total

    def start(self) -> None:
        """Start the threads."""
        if self._own_process:
            self._tuning.enter_context(tuned_for_latency())
        self._started_ns = time.monotonic_ns()
        LOG.info("judging %s", self._camera.name)
        if self._watchdog is not None:
            self._watchdog.start()
        for thread in (self._capturing, *self._workers):
            thread.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of the stream; False when the time was up before."""
        return self._ended.wait(timeout_s)

    @property
    def judges(self) -> RecipeJudges:
        """Return what judges the frames to come."""
        return self._timetable.now

    def judges_of(self, recipe: LineRecipe, *, tried: bool = False) -> RecipeJudges:
        """Return what judges by another recipe, made and tried on beside what judges now.

        Args:
            recipe: open and warm.
            tried: it has judged this camera's frames before.

        Raises:
            InputError: a rule names a label that the model has not, or the model does not take
                the camera's frames.
        """
        judges = self._judges_of(recipe, len(self._workers))
        if (frame := self.last_frame) is not None and not tried:
            judges.try_on(frame)
        return judges

    def rules_of(self, recipe: str) -> Rules | None:
        """Return the rules that a recipe judges by, or judged by last; None where it is not open.

        Args:
            recipe: its id; empty in a stream without recipes.
        """
        for judges in reversed(self._timetable.all()):
            if judges.recipe.mark.id == recipe:
                return judges.recipe.rules
        return None

    def change_recipe(self, judges: RecipeJudges, since_ns: int) -> None:
        """Let other judges judge the frames whose capture begins at `since_ns` or later.

        Frames from before are judged by the old ones, also where they are still in flight.

        Args:
            judges: of `judges_of`.
            since_ns: monotonic nanoseconds.
        """
        mark = judges.recipe.mark
        self.ledger.add_recipe((mark.id, mark.digest), judges.recipe.session.contract.labels)
        self._timetable.change(judges, since_ns)

    def retire(self, judges: RecipeJudges) -> bool:
        """Give judges no frame any more; whether they have none left that is in flight."""
        self._timetable.retire(judges)
        if judges.busy:
            return False
        self._keep_notes(judges)
        return True

    def stop(self) -> None:
        """Ask for the end: no more frames are read, those that were are judged."""
        self._handover.stop()

    def finish(self) -> Snapshot:
        """Close the stream. Whatever hangs is left behind after a moment.

        Returns:
            The accounts, which add up.

        Raises:
            InputError: the camera broke off, or the model failed on and on. `close` gives the
                accounts all the same.
        """
        snapshot = self.close()
        if self._failure is not None:
            raise self._failure
        return snapshot

    def close(self) -> Snapshot:
        """The same, without raising: `failure` tells what went wrong."""
        if not self._ended.is_set():
            self.stop()
        if self._started_ns:
            self._join()
        self.ledger.close()
        self._succession.end(_give_up)
        for ticket in self._handover.drain():
            self._succession.interject(partial(_give_up, ticket))
        if self._watchdog is not None:
            self._watchdog.close()
        self.ledger.wait_for_acts(ACT_GRACE_S)
        self._ended_ns = self._ended_ns or time.monotonic_ns()
        for judges in self._timetable.all():
            self._keep_notes(judges)
        for sink in self._isolated:
            sink.close()
        self._tuning.close()
        return self.ledger.snapshot()

    @property
    def failure(self) -> BaseException | None:
        """Return what ended the stream early, if anything did."""
        return self._failure

    @property
    def drift(self) -> DriftLevel | None:
        """Return how many frames are far from training; None where nobody counts them."""
        novelty = self._timetable.now.novelty
        return None if novelty is None else novelty.drift

    @property
    def health_notes(self) -> list[str]:
        """Return each fault of the stream so far, in words."""
        health = self._timetable.now.health
        return health.notes() if health else []

    def _join(self) -> None:
        """Wait for all threads, but not for one that hangs."""
        capture, workers = self._capturing, self._workers
        capture.join(PROMPT_S)
        if capture.is_alive():
            self._camera.close()  # a read that waits for its tick returns at once
            capture.join(self._grace_s)
        if capture.is_alive():
            self.notes.append("the camera did not respond in time and was abandoned")
        self._handover.close()
        taken = -1
        while taken != self._taken and any(worker.is_alive() for worker in workers):
            taken, until = self._taken, time.monotonic() + self._grace_s
            for worker in workers:
                worker.join(max(0.0, until - time.monotonic()))
        if any(worker.is_alive() for worker in workers):
            self.notes.append("the model did not respond in time and was abandoned")

    def _work(self, worker: int) -> None:
        """Judge frames until there are no more."""
        # Of this thread: an embedding of NaN or infinity is a fault, and needs no warning as well.
        np.seterr(invalid="ignore", over="ignore")
        progress = self._progress[worker]
        try:
            while (ticket := self._succession.take(self._handover)) is not None:
                self._taken += 1
                progress.taken += 1
                assert ticket.judges is not None
                judge = ticket.judges.judges[worker]
                try:
                    judge.judge(ticket)
                finally:
                    # Of use only where judging it raised: else its verdict went out, or will.
                    self._succession.abandon(ticket, partial(judge.give_up, ticket))
                    progress.finished += 1
        finally:
            with self._counting:
                self._judging -= 1
                if self._judging == 0:
                    self._ended_ns = time.monotonic_ns()
                    self._ended.set()

    def _expire(self, ticket: Ticket) -> None:
        assert ticket.judges is not None
        speak = partial(ticket.judges.judges[0].expire, ticket)
        self._guard(partial(self._succession.interject, speak))

    def _judges_of(self, recipe: LineRecipe, workers: int) -> RecipeJudges:
        return RecipeJudges(
            replace(recipe, on_verdict=self._observe),
            self._camera,
            self.ledger,
            self.sinks,
            self._succession,
            late_sink=self._late_sink,
            workers=workers,
        )

    def _keep_notes(self, judges: RecipeJudges) -> None:
        self.notes += [note for note in judges.notes() if note not in self.notes]

    def _thread(self, work: Callable[[], None], name: str) -> threading.Thread:
        return threading.Thread(target=self._guard, args=(work,), name=name, daemon=True)

    def _guard(self, work: Callable[[], None]) -> None:
        """Run `work`; what it raises ends the stream and is kept for `finish`."""
        try:
            work()
        except BaseException as error:
            LOG.error("stream ends: %s", error)
            self._failure = self._failure or error
            self.stop()


def _give_up(ticket: Ticket) -> None:
    assert ticket.judges is not None
    ticket.judges.judges[0].give_up(ticket)
