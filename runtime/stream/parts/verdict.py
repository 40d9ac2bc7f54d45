"""Verdict on a part that several cameras see: the worst of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from runtime.files.document import Document, Part, read_lines
from runtime.stream.budget import TOTAL
from runtime.stream.verdict import Decision, Status, Verdict, VerdictLine

WORST_FIRST = ("fault", "late", "unknown", "reject", "unsure", "pass")
"""Statuses from the worst on: the worst of the cameras' is the part's. What says nothing about the
part is worse than what speaks against it: somebody has to look at it, or at the camera."""


def badness(status: Status) -> int:
    """Return the rank of a status, 0 for the worst; one that nobody ranked counts as that."""
    return WORST_FIRST.index(status.value) if status.value in WORST_FIRST else 0


class PartCamera(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One camera's verdict on a part.

    Args:
        frame: the frame's number; None where the camera had none of this part.
        status: that camera's; `fault` where it is missing.
        label: the most probable label; None where there is no usable answer.
        confidence: its probability, 0 to 1; None likewise.
        reason: why there is no usable answer, or no frame.
    """

    frame: int | None
    status: Status
    label: str | None = None
    confidence: float | None = None
    reason: str = ""


class PartLine(Document, frozen=True, kw_only=True, omit_defaults=True):
    """One line of `parts.jsonl`.

    Args:
        part: the part's number: the frames' where a trigger counts them, else its place in order.
        captured_at: when the first camera's capture started by the wall clock, ISO 8601 with `Z`.
        captured_ns: the same moment in monotonic nanoseconds.
        status: what a machine beside the line acts on: the worst of the cameras'.
        decided_by: the camera whose status that is.
        total_ns: nanoseconds from that first capture to this verdict.
        cameras: each camera's verdict by its name.
        reason: why there is no usable answer.
    """

    WHAT: ClassVar[str] = "a line of parts"
    REMEDY: ClassVar[str] = "pass a parts.jsonl written by 'edgecl run --part-of'"

    schema: Literal[1]
    part: int
    captured_at: str
    captured_ns: int
    status: Status
    decided_by: str
    total_ns: int
    cameras: dict[str, PartCamera]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PartVerdict:
    """The one verdict on a part.

    Args:
        verdict: as a sink takes it: its number is the part's, its camera the one that decided.
        cameras: the cameras' verdicts, by name.
        missing: why a camera has none, by its name.
    """

    verdict: Verdict
    cameras: Mapping[str, Verdict]
    missing: Mapping[str, str]

    def line(self) -> PartLine:
        """The line of `parts.jsonl`."""
        own = self.verdict.line()
        seen = {name: _camera_of(verdict.line()) for name, verdict in self.cameras.items()}
        absent = {
            name: PartCamera(frame=None, status=Status.FAULT, reason=reason)
            for name, reason in self.missing.items()
        }
        return PartLine(
            schema=1,
            part=own.frame,
            captured_at=own.captured_at,
            captured_ns=own.captured_ns,
            status=own.status,
            decided_by=own.camera,
            total_ns=own.steps_ns[TOTAL],
            cameras={**seen, **absent},
            reason=own.reason,
        )


def worst_of(
    number: int, cameras: Mapping[str, Verdict], missing: Mapping[str, str], now_ns: int
) -> PartVerdict:
    """Return the verdict on a part.

    Args:
        number: the part's.
        cameras: the verdicts by camera, at least one; of equally bad ones the first decides.
        missing: why there is none, by camera; one of these makes the part a `fault`.
        now_ns: monotonic nanoseconds.
    """
    first = min(cameras.values(), key=lambda verdict: verdict.captured_ns)
    decider = min(cameras, key=lambda name: badness(cameras[name].decision.status))
    decision = cameras[decider].decision
    if missing and badness(decision.status) > badness(Status.FAULT):
        decider = next(iter(missing))
        decision = Decision(Status.FAULT, reason=missing[decider])
    if decision.reason:
        decision = replace(decision, reason=f"{decider}: {decision.reason}")
    verdict = Verdict(
        number=number,
        captured_ns=first.captured_ns,
        wall_ns=first.wall_ns,
        decision=decision,
        steps={TOTAL: now_ns - first.captured_ns},
        camera=decider,
        recipe=first.recipe,
        digest=first.digest,
        bundle=first.bundle,
        labels=cameras.get(decider, first).labels,
    )
    return PartVerdict(verdict, cameras, missing)


def _camera_of(line: VerdictLine) -> PartCamera:
    return PartCamera(
        frame=line.frame,
        status=line.status,
        label=line.label,
        confidence=line.confidence,
        reason=line.reason,
    )


def read_parts(path: Path) -> list[PartLine]:
    """Read parts.jsonl.

    Raises:
        InputError: it cannot be read, or a line is no verdict on a part.
    """
    return read_lines(path, PartLine)
