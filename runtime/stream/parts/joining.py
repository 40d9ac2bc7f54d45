"""Parts while streams run: the cameras' verdicts in, the parts' out by their deadlines."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from runtime.realtime import take_precedence
from runtime.stream.acting.pending import PendingAct
from runtime.stream.parts.matching import PartMatcher
from runtime.stream.parts.rule import PartRule
from runtime.stream.parts.summary import PartsAccount
from runtime.stream.parts.verdict import PartVerdict
from runtime.stream.sinks.base import Sink
from runtime.stream.sinks.json_lines import JsonLinesSink
from runtime.stream.verdict import Status, Verdict


class PartJoin:
    """Joins the verdicts of several cameras to verdicts on parts.

    Args:
        cameras: their names; of two that are equally bad, the first decides.
        rule: what belongs to one part.
        sinks: isolated; they take the parts' verdicts and stay the caller's to close.
        lines: takes the parts with all their cameras; the caller's to close, too.
        clock: monotonic nanoseconds.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        rule: PartRule,
        sinks: Sequence[Sink] = (),
        lines: JsonLinesSink | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._cameras = tuple(cameras)
        self._rule = rule
        self._sinks = sinks
        self._lines = lines
        self._acting = sum(sink.acts for sink in sinks)
        self._clock = clock
        self._matcher = PartMatcher(cameras, window_ns=rule.window_ns, deadline_ns=rule.deadline_ns)
        self._statuses: Counter[str] = Counter()
        self._missing: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._watch, name="parts", daemon=True)

    def start(self) -> None:
        """Start to watch the deadlines."""
        self._thread.start()

    def sink_for(self, camera: str, trusted: Callable[[], bool] = lambda: True) -> Sink:
        """Return the sink that takes a camera's verdicts.

        Args:
            trusted: whether its frame numbers still count the parts. Once they do not, it is
                missing from then on.
        """
        return _CameraSink(self, camera, trusted)

    def add(self, camera: str, verdict: Verdict) -> None:
        """Take a verdict of a camera."""
        with self._changed:
            before, apart = self._matcher.next_deadline_ns, self._apart
            self._send(self._matcher.add(camera, verdict, self._clock()))
            if self._matcher.next_deadline_ns != before:
                self._changed.notify()
            if verdict.act is not None and self._apart > apart:
                verdict.act.failed(self._clock())  # no part's verdict will speak of this frame

    def leave(self, camera: str, reason: str = "it has ended") -> None:
        """Expect no more of a camera."""
        with self._changed:
            self._send(self._matcher.leave(camera, reason, self._clock()))

    def close(self) -> None:
        """Say `fault` of the parts that are still open, and end. Closing twice is fine."""
        with self._changed:
            self._send(self._matcher.finish(self._clock()))
            self._closed = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def account(self) -> PartsAccount:
        """Return the counts so far."""
        with self._changed:
            rule, matcher = self._rule, self._matcher
            return PartsAccount(
                parts=sum(self._statuses.values()),
                statuses={status.value: self._statuses[status.value] for status in Status},
                missing={name: self._missing[name] for name in self._cameras},
                late_frames=matcher.late_frames,
                repeated_frames=matcher.repeated_frames,
                unmatched_frames=matcher.unmatched_frames,
                window_ms=None if rule.window_ns is None else rule.window_ns / 1e6,
                deadline_ms=None if rule.deadline_ns is None else rule.deadline_ns / 1e6,
            )

    def _send(self, parts: Sequence[PartVerdict]) -> None:
        """Send parts, inside the lock: they go out in one order."""
        for part in parts:
            self._statuses[part.verdict.decision.status.value] += 1
            self._missing.update(part.missing.keys())
            verdict = self._to_act_on(part) if self._acting else part.verdict
            for sink in self._sinks:
                sink.emit(verdict)
            if self._lines is not None:
                self._lines.emit(part)

    @property
    def _apart(self) -> int:
        """Frames that are of no part, or came too late for theirs."""
        matcher = self._matcher
        return matcher.late_frames + matcher.repeated_frames + matcher.unmatched_frames

    def _to_act_on(self, part: PartVerdict) -> Verdict:
        """The part's verdict with an act that reports to those of its cameras."""
        deadline_ns = self._rule.deadline_ns
        by_ns = None if deadline_ns is None else part.verdict.captured_ns + deadline_ns
        act = PendingAct(by_ns, self._acting)
        pending = [seen.act for seen in part.cameras.values() if seen.act is not None]

        def report(ended_ns: int | None, missed: bool) -> None:
            for one in pending:
                if ended_ns is None:
                    one.spared()
                else:
                    one.done(ended_ns, late=missed)

        act.tell(report)
        return replace(part.verdict, act=act)

    def _watch(self) -> None:
        take_precedence()
        with self._changed:
            while not self._closed:
                deadline_ns = self._matcher.next_deadline_ns
                if deadline_ns is None:
                    self._changed.wait()
                elif (left_ns := deadline_ns - self._clock()) > 0:
                    self._changed.wait(left_ns / 1e9)
                else:
                    self._send(self._matcher.expire(self._clock()))


class _CameraSink(Sink):
    """Hands a camera's verdicts to the parts."""

    name = "parts"
    isolated = True

    def __init__(self, join: PartJoin, camera: str, trusted: Callable[[], bool]) -> None:
        self._join = join
        self._camera = camera
        self._trusted = trusted
        self.acts = bool(join._acting)
        self._is_trusted = True

    def emit(self, verdict: Verdict) -> None:
        if self._is_trusted and not self._trusted():
            self._is_trusted = False
            reason = "it was lost, and its frames no longer count the triggers"
            self._join.leave(self._camera, reason)
        self._join.add(self._camera, verdict)
