"""Frames of earlier streams, judged again by another bundle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from runtime.camera import open_camera
from runtime.counting import counted
from runtime.errors import InputError
from runtime.files.document import Document
from runtime.stream.answering.answerer import Answerer
from runtime.stream.answering.comparing import (
    AnswerComparison,
    AnswerTally,
    Disagreement,
    OneAnswer,
)
from runtime.stream.answering.recorded import VerdictRecording
from runtime.stream.verdict import Status

CHANGED_SHOWN = 100


class ReplayReport(Document, frozen=True, kw_only=True):
    """Report of a replay.

    Args:
        source: what was replayed.
        images: folder or video of the frames.
        against: the bundle whose answers were compared with, or `verdicts` for recorded ones.
        model: the bundle that answered now.
        digest: of its manifest.
        precision, engine: of its session.
        comparison: of the answers.
        missing: recorded verdicts whose image is not there.
        unanswered: images without a recorded answer, or which the first bundle could not answer.
        failed: images that cannot be read, or which the bundle could not answer.
        changed: the first of them, 100 at most.
    """

    WHAT: ClassVar[str] = "the report of a replay"
    REMEDY: ClassVar[str] = "make one with 'edgecl replay --json'"

    schema: Literal[1] = 1
    source: str
    images: str
    against: str
    model: str
    digest: str
    precision: str
    engine: str
    comparison: AnswerComparison
    missing: int
    unanswered: int
    failed: int
    changed: tuple[Disagreement, ...]


class Replay:
    """Judges images again, and compares.

    Args:
        images: a folder, or a video.
        second: what answers now.
        recording: the verdicts to compare with; None to compare with `first`.
        first: another bundle's answers to compare with.
    """

    def __init__(
        self,
        images: Path,
        second: Answerer,
        *,
        recording: VerdictRecording | None = None,
        first: Answerer | None = None,
    ) -> None:
        self._images = images
        self._second = second
        self._recording = recording
        self._first = first
        self._tally = AnswerTally()
        self.missing = self.unanswered = self.failed = 0

    def comparison(self) -> AnswerComparison:
        """Return the counts so far."""
        return self._tally.comparison()

    def run(self) -> Iterator[Disagreement]:
        """Answer each image, and yield those that are answered otherwise than before.

        Raises:
            InputError: the images cannot be opened, or none of them is one of the verdicts'.
        """
        left = dict(self._recording.verdicts) if self._recording is not None else {}
        recorded = len(left)
        with open_camera(str(self._images)) as camera:
            if not camera.stored:
                raise InputError(
                    f"{self._images} is a camera, and its frames were not kept",
                    hint="pass the folder of kept images with --images",
                )
            while (frame := camera.read()) is not None:
                identity, at, first, bits = str(frame.number), "", None, frame.bits
                if self._recording is not None:
                    found = left.pop(frame.name or frame.number, None)
                    if found is None:
                        continue
                    identity, at, first = found.id, found.captured_at, found.answer
                    bits = bits or found.bits
                elif self._first is not None and frame.pixels is not None:
                    decision = self._first.answer(frame.pixels, frame.bits)
                    if decision.status is not Status.FAULT:
                        first = OneAnswer.of(decision)
                if frame.pixels is None:
                    self.failed += 1
                    continue
                if first is None:
                    self.unanswered += 1
                    continue
                decision = self._second.answer(frame.pixels, bits)
                if decision.status is Status.FAULT:
                    self.failed += 1
                    continue
                second = OneAnswer.of(decision)
                if self._tally.add(first, second):
                    yield Disagreement(
                        schema=1,
                        id=identity,
                        frame=frame.number,
                        captured_at=at,
                        name=frame.name.encode("utf-8", "replace").decode(),
                        first=first,
                        second=second,
                    )
        self.missing = len(left)
        if recorded and self.missing == recorded:
            raise InputError(
                f"none of {counted(recorded, 'verdict')} is of an image in {self._images}",
                hint="pass the folder or video that the stream judged with --images",
            )
