"""The line as a vision system: its state, its job, its recipe and its newest results.

Pure: methods of clients and verdicts go in, transitions and results come out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec

from runtime.stream.opcua.states import JOB_BEGINS, State, Steps, VisionStates

KEPT = 1000
"""Results that clients may still ask for."""

COMPLETED, FAILED = 1, 4
"""States of a result, after the standard."""

_FAILED = frozenset({"late", "fault"})


@dataclass(frozen=True)
class VisionJob:
    """Job that results belong to.

    Args:
        id: of it; run and number.
        measurement, part, product: names that the client gave when it started; may be empty.
    """

    id: str
    measurement: str = ""
    part: str = ""
    product: str = ""


@dataclass(frozen=True)
class LineResult:
    """A verdict as clients see it.

    Args:
        id: RUN/FRAME, of several cameras RUN/CAMERA/FRAME.
        job: which it belongs to.
        recipe, digest: of the model that judged: its id, and the hash of its bundle.
        began, ended: when the frame's capture began, and when the verdict went out.
        verdict: fields of the line of `verdicts.jsonl`, and the whole of it as JSON in `text`.
    """

    id: str
    job: VisionJob
    recipe: str
    digest: str
    began: datetime
    ended: datetime
    verdict: Mapping[str, Any]
    text: str

    @property
    def state(self) -> int:
        """The standard's state of the result."""
        return FAILED if self.verdict["status"] in _FAILED else COMPLETED


@dataclass
class VisionLine:
    """The line.

    Args:
        run, bundle, digest: facts of the stream.

    Attributes:
        published: results that went to clients.
        withheld: verdicts that came while no job was under way.
        lost: verdicts that were lost before they came here.
        recipes: ids that can be asked for; the bundle's name alone where the stream has none.
        prepared: the recipe that judges, by what clients know of it.
    """

    run: str
    bundle: str
    digest: str = ""
    states: VisionStates = field(default_factory=VisionStates)
    published: int = 0
    withheld: int = 0
    lost: int = 0
    recipes: tuple[str, ...] = ()
    prepared: str = ""

    def __post_init__(self) -> None:
        self.recipes = self.recipes or (self.bundle,)
        self.prepared = self.prepared or self.recipes[0]
        self._jobs = 0
        self._job = VisionJob("")
        self._kept: deque[LineResult] = deque(maxlen=KEPT)

    @property
    def job(self) -> VisionJob | None:
        """The job under way."""
        return self._job if self.states.executing else None

    @property
    def last_job(self) -> VisionJob:
        """The job under way, or else the last one; with an empty id where there was none."""
        return self._job

    @property
    def newest(self) -> LineResult | None:
        """The newest result."""
        return self._kept[-1] if self._kept else None

    def step(
        self,
        method: Callable[[], Steps],
        *,
        measurement: str = "",
        part: str = "",
        product: str = "",
    ) -> Steps:
        """Call a method of the state machine, and begin the job that it begins.

        Args:
            method: of `states`.
            measurement, part, product: names for the results of that job.

        Raises:
            WrongStateError: it cannot be called in this state.
        """
        resumed = self.states.top is State.ERROR
        steps = method()
        if any(step.number in JOB_BEGINS for step in steps):
            last = self._job
            if resumed:  # the line goes on with what it was asked for
                measurement, part, product = last.measurement, last.part, last.product
            self._jobs += 1
            self._job = VisionJob(f"{self.run}/job-{self._jobs}", measurement, part, product)
        return steps

    def take(self, line: bytes) -> tuple[LineResult | None, Steps]:
        """Take a verdict.

        Args:
            line: the object that other machines get of it, as JSON.

        Returns:
            The result, None where no job is under way; and what it led to.
        """
        verdict = msgspec.json.decode(line)
        if verdict.get("recipe"):
            self.prepared = verdict["recipe"]
            self.bundle = verdict.get("bundle") or self.bundle
        if not self.states.executing:
            self.withheld += 1
            return None, ()
        began = datetime.fromisoformat(verdict["captured_at"].replace("Z", "+00:00"))
        total = timedelta(microseconds=verdict["steps_ns"].get("total", 0) / 1000)
        result = LineResult(
            id=verdict["id"],
            job=self._job,
            recipe=verdict.get("recipe") or self.bundle,
            digest=verdict.get("digest") or self.digest,
            began=began.astimezone(timezone.utc),
            ended=began.astimezone(timezone.utc) + total,
            verdict=verdict,
            text=line.decode(),
        )
        self._kept.append(result)
        self.published += 1
        return result, self.states.result()

    def find(self, wanted: str) -> LineResult | None:
        """Return a result by its id, if it is still kept."""
        return next((result for result in reversed(self._kept) if result.id == wanted), None)

    def matching(self, state: int, wanted: Mapping[str, str]) -> list[LineResult]:
        """Return the results that are kept and that fit, the newest first.

        Args:
            state: the standard's state of a result; 0 for every one.
            wanted: what they have to have, by `job`, `measurement`, `part`, `product`, `recipe`
                or `run`; empty for whatever they have.
        """
        return [
            result
            for result in reversed(self._kept)
            if state in (0, result.state)
            and all(not text or text == self._told(result, key) for key, text in wanted.items())
        ]

    def _told(self, result: LineResult, key: str) -> str:
        job = result.job
        return {
            "job": job.id,
            "measurement": job.measurement,
            "part": job.part,
            "product": job.product,
            "recipe": result.recipe,
            "run": self.run,
        }[key]
