"""A second model that judges a stream's frames beside the first, and acts on nothing."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from runtime.camera.base import Frame
from runtime.errors import InputError
from runtime.files.atomic import explained
from runtime.files.document import Part
from runtime.realtime import give_way
from runtime.session import Session
from runtime.stream.answering.answerer import Answerer
from runtime.stream.answering.comparing import (
    AnswerComparison,
    AnswerTally,
    Disagreement,
    OneAnswer,
)
from runtime.stream.rules import Rules
from runtime.stream.verdict import Status, Verdict

FILE = "shadow.jsonl"

WAITING = 1
"""Frames that may wait for the second model; each holds its pixels."""

CLOSE_S = 3.0
"""Time that the end of a stream waits for an answer that does not come, in seconds."""

_LOWEST = 19


class ShadowAccount(Part, frozen=True, kw_only=True):
    """Account of a second model beside a stream.

    Args:
        model: its path.
        digest: of its manifest.
        precision, engine: of its session.
        comparison: of its answers with the verdicts'.
        dropped: frames that came while it was busy; nobody waited for it.
        unanswered: frames without an answer of the first model, which were left out.
        failed: frames that the second one could not answer.
        problem: why not, of the last one.
        file: the disagreements, a line each.
        lost: disagreements that could not be written.
    """

    model: str
    digest: str
    precision: str
    engine: str
    comparison: AnswerComparison
    dropped: int
    unanswered: int
    failed: int
    problem: str
    file: str
    lost: int


class Shadow:
    """Answers frames in a thread of its own, with a session that it opens in that thread.

    `take` returns at once: a frame that comes while another one is answered waits, and one more
    takes its place, which is counted. The thread has the lowest priority that the operating system
    knows, and so have the threads of its engine.

    Args:
        opened: opens the session and what answers; called from the shadow's thread.
        model: path of the second bundle.
        digest: of its manifest.
        run: id of the stream, for the names of the verdicts.
        folder: of the stream, which gets the disagreements.

    Raises:
        EdgeclError: the session cannot be opened, or the file made.
    """

    def __init__(
        self,
        opened: Callable[[], tuple[Session, Answerer]],
        *,
        model: str,
        digest: str,
        run: str,
        folder: Path,
    ) -> None:
        self._opened = opened
        self._model, self._digest, self._run_id = model, digest, run
        self._path = folder / FILE
        self._tally = AnswerTally()
        self._dropped = self._unanswered = self._failed = self._lost = 0
        self._problem = ""
        self._waiting: deque[tuple[Frame, Verdict]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._session: Session | None = None
        self._answerer: Answerer | None = None
        self._refusal: BaseException | None = None
        self._ready = threading.Event()
        with explained(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists():
                raise InputError(
                    f"{self._path} already exists, as from an earlier stream",
                    hint="choose another folder, or move that file",
                )
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._refusal is not None:
            raise self._refusal

    def describe(self) -> str:
        """Describe the second model on one line."""
        assert self._session is not None
        return f"{Path(self._model).name} beside it: {self._session.describe()}"

    def change(self, rules: Rules) -> None:
        """Judge the frames to come by other rules, as the first model does.

        Raises:
            InputError: a rule names a label that the second model has not; then nothing is changed.
        """
        assert self._answerer is not None
        self._answerer.change(rules)

    def take(self, frame: Frame, verdict: Verdict) -> None:
        """Leave a frame with its verdict for the thread."""
        with self._changed:
            if self._closing:
                return
            if frame.pixels is None or not verdict.decision.label:
                self._unanswered += 1
                return
            if len(self._waiting) >= WAITING:
                self._waiting.popleft()
                self._dropped += 1
            self._waiting.append((frame, verdict))
            self._changed.notify()

    def close(self) -> None:
        """Finish what waits, but not for long. Closing twice is fine."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(CLOSE_S)
        with self._changed:
            self._dropped += len(self._waiting)
            self._waiting.clear()

    def account(self) -> ShadowAccount:
        """Return the account so far."""
        assert self._session is not None
        with self._changed:
            return ShadowAccount(
                model=self._model,
                digest=self._digest,
                precision=self._session.precision,
                engine=self._session.engine,
                comparison=self._tally.comparison(),
                dropped=self._dropped,
                unanswered=self._unanswered,
                failed=self._failed,
                problem=self._problem,
                file=str(self._path),
                lost=self._lost,
            )

    def _run(self) -> None:
        _step_back()
        try:
            session, answerer = self._opened()
        except BaseException as refusal:  # it is raised where the shadow was asked for
            self._refusal = refusal
            self._ready.set()
            return
        self._session, self._answerer = session, answerer
        self._ready.set()
        with session, contextlib.ExitStack() as stack:
            file: IO[bytes] | None = None
            while (entry := self._next()) is not None:
                line = self._compared(answerer, *entry)
                if line is None:
                    continue
                try:
                    if file is None:
                        file = stack.enter_context(open(self._path, "xb", buffering=0))
                    file.write(msgspec.json.encode(line) + b"\n")
                except OSError as error:
                    with self._changed:
                        self._lost += 1
                        self._problem = str(error.strerror or error)

    def _next(self) -> tuple[Frame, Verdict] | None:
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            return self._waiting.popleft() if self._waiting else None

    def _compared(self, answerer: Answerer, frame: Frame, verdict: Verdict) -> Disagreement | None:
        assert frame.pixels is not None
        decision = answerer.answer(frame.pixels, frame.bits)
        first, second = OneAnswer.of(verdict.decision), OneAnswer.of(decision)
        with self._changed:
            if decision.status is Status.FAULT:
                self._failed += 1
                self._problem = decision.reason
                return None
            if not self._tally.add(first, second):
                return None
        line = verdict.line()
        return Disagreement(
            schema=1,
            id=f"{self._run_id}/{verdict.number}",
            frame=verdict.number,
            captured_at=line.captured_at,
            name=line.name,
            first=first,
            second=second,
        )


def _step_back() -> None:
    """Put the calling thread behind all others; threads that it starts inherit that."""
    give_way()
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST)
