"""Verdicts on digital outputs: what `--sink gpio:` says."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from runtime.progress import Say
from runtime.stream.acting.sink import ActingSink
from runtime.stream.outputs.lines import FileLines, OutputLines
from runtime.stream.outputs.plan import FILE, DigitalOutput, OutputPlan, parse_outputs
from runtime.stream.outputs.pulses import LineChange, PulseTrain
from runtime.stream.outputs.ticks import GONE_NS, SAMPLE_NS, FileTicks, TickSource
from runtime.stream.sinks.base import Sink, SinkRequest
from runtime.stream.verdict import Status, Verdict

RETRY_NS = 100_000_000
"""Nanoseconds after which a line that its driver refused is set again."""


class DigitalOutputsSink(ActingSink):
    """Raises output lines for verdicts.

    Delays count from the frame's capture: what the verdict took is in them. A verdict that comes
    after its delay is late, and its pulse begins at once on the outputs that answer to `late`.

    A line that its driver refuses is tried again; until it obeys, the watchdog's line rests.

    Args:
        lines: are closed with this sink.
        ticks: likewise; None where no delay is in ticks.
        clock, report: see `ActingSink`.
    """

    def __init__(
        self,
        plan: OutputPlan,
        lines: OutputLines,
        ticks: TickSource | None = None,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        report: Say = lambda text: None,
    ) -> None:
        super().__init__(clock=clock, report=report)
        self.name = lines.name
        self._plan = plan
        self._lines = lines
        self._ticks = ticks
        self._trains = {output.line: PulseTrain(output.pulse_ns) for output in plan.outputs}
        self._levels = dict.fromkeys(plan.lines, False)
        self._refused: set[str] = set()
        self._retry_ns = 0
        self._looked_ns = 0
        self._alive_ns = clock()

    def act(self, verdict: Verdict, status: Status, now_ns: int) -> bool:
        """Begin or plan the pulses of a status.

        Raises:
            OSError: a line that had to go up did not.
        """
        self._look(now_ns)
        answering = [output for output in self._plan.outputs if status in output.on]
        for output in self._plan.outputs:
            if status in output.on:
                change = LineChange.PASS if status is Status.PASS else LineChange.PULSE
                self._plan_change(change, output, verdict, now_ns)
            elif Status.PASS in output.on:
                self._plan_change(LineChange.END, output, verdict, now_ns)
        self._apply(self._clock())
        refused = [output.line for output in answering if output.line in self._refused]
        if refused:
            if status is Status.PASS:
                self.withdraw(verdict)
            raise OSError(f"line {refused[0]} was not set ({self.problem})")
        return True

    def withdraw(self, verdict: Verdict) -> None:
        """Take back the pulses of a pass."""
        now_ns = self._clock()
        for output in self._plan.outputs:
            if Status.PASS in output.on:
                self._trains[output.line].withdraw_pass(now_ns)
        self._apply(now_ns)

    def is_over(self, verdict: Verdict, now_ns: int) -> bool:
        """Whether the part has passed an output that would answer to this verdict."""
        status = verdict.decision.status
        self._look(now_ns)
        for output in self._plan.outputs:
            if status in output.on:
                if output.delay_ns and now_ns > verdict.captured_ns + output.delay_ns:
                    return True
                if output.delay_ticks and self._due_count(output, verdict) is None:
                    return True
        return False

    def next_ns(self) -> int | None:
        """Return when a line is to change, or the counter to be looked at."""
        now_ns = self._clock()
        times = [train.next_ns(now_ns) for train in self._trains.values()]
        times.append(self._alive_ns if self._plan.alive and not self._is_resting else None)
        times.append(self._looked_ns + SAMPLE_NS if self._ticks else None)
        times.append(self._retry_ns if self._is_resting else None)
        return min((ns for ns in times if ns is not None), default=None)

    def tick(self, now_ns: int) -> None:
        """Let lines change that are due to."""
        self._look(now_ns)
        self._apply(now_ns)

    def busy(self) -> bool:
        """Whether a pulse is still to come, or not yet over."""
        now_ns = self._clock()
        return any(train.waiting or train.is_up(now_ns) for train in self._trains.values())

    def rest(self) -> None:
        """Bring all lines down, and give them back."""
        for line in self._levels:
            with contextlib.suppress(Exception):  # the others are to go down all the same
                self._lines.set(line, False)
        self._lines.close()
        if self._ticks is not None:
            self._ticks.close()

    def _plan_change(
        self, change: LineChange, output: DigitalOutput, verdict: Verdict, now_ns: int
    ) -> None:
        train, due_ns = self._trains[output.line], verdict.captured_ns + output.delay_ns
        count = self._due_count(output, verdict) if output.delay_ticks else None
        if count is not None:
            train.make_at_count(change, count)
        elif output.delay_ns and due_ns > now_ns:
            train.make_at(change, due_ns)
        else:
            train.make(change, now_ns)

    def _due_count(self, output: DigitalOutput, verdict: Verdict) -> int | None:
        """Count at which a part is at an output; None where it has passed, or nobody knows."""
        assert self._ticks is not None
        history = self._ticks.history
        seen = history.at(verdict.captured_ns)
        if seen is None or history.count is None or history.count > seen + output.delay_ticks:
            return None
        return seen + output.delay_ticks

    def _look(self, now_ns: int) -> None:
        if self._ticks is None:
            return
        self._looked_ns = now_ns
        try:
            known = self._ticks.look(now_ns)
        except Exception as error:  # a driver may raise anything
            if now_ns < self._ticks.history.added_ns + GONE_NS:
                return
            self._note(str(error))
            self._ticks.history.forget()
            known = False
        if not known:
            self.late_acts += sum(train.lose_count(now_ns) for train in self._trains.values())

    def _apply(self, now_ns: int) -> None:
        """Set the lines whose level is not what it should be."""
        count = self._ticks.history.count if self._ticks else None
        for line, train in self._trains.items():
            self.late_acts += train.advance(now_ns, count)
            self._set(line, train.is_up(now_ns), now_ns)
        alive = self._plan.alive
        if alive is not None and now_ns >= self._alive_ns and not self._is_resting:
            self._alive_ns = max(self._alive_ns + alive.every_ns, now_ns + alive.every_ns // 2)
            self._set(alive.line, not self._levels[alive.line], now_ns)

    @property
    def _is_resting(self) -> bool:
        """Whether an output does not obey, so that the watchdog's line must not change."""
        return any(line in self._trains for line in self._refused)

    def _set(self, line: str, up: bool, now_ns: int) -> None:
        if self._levels[line] == up and line not in self._refused:
            return
        if line in self._refused and now_ns < self._retry_ns:
            return
        try:
            self._lines.set(line, up)
        except Exception as error:  # a driver may raise anything
            self._refused.add(line)
            self._retry_ns = now_ns + RETRY_NS
            self._note(getattr(error, "strerror", None) or str(error))
        else:
            self._refused.discard(line)
            self._levels[line] = up


def open_gpio(request: SinkRequest) -> Sink:
    """Open the sink of `--sink gpio:BACKEND:PLACE?…`.

    Raises:
        InputError: the plan, the library or a line cannot be used.
    """
    plan = parse_outputs(request.target)
    lines = _open_lines(plan, request)
    try:
        ticks = _open_ticks(plan, request.folder)
    except BaseException:
        lines.close()
        raise
    sink = DigitalOutputsSink(plan, lines, ticks, report=request.report)
    sink.start()
    return sink


def _open_lines(plan: OutputPlan, request: SinkRequest) -> OutputLines:
    if plan.backend == "gpiod":
        from runtime.stream.outputs.gpiod_lines import GpiodLines

        return GpiodLines(plan.place, plan.lines)
    if plan.backend == "jetson":
        from runtime.stream.outputs.jetson_lines import JetsonLines

        return JetsonLines(plan.lines)
    wanted = "a file name, as in gpio:file:lines.txt?out=1"
    return FileLines(replace(request, target=plan.place).file(wanted), plan.lines)


def _open_ticks(plan: OutputPlan, folder: Path) -> TickSource | None:
    if plan.ticks is None:
        return None
    kind, place = plan.ticks
    if kind == FILE:
        return FileTicks(folder / place)
    from runtime.stream.outputs.gpiod_lines import LineTicks

    return LineTicks(plan.place, place)
