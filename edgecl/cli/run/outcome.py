"""End of `edgecl run`: the summary's file, and the exit code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgecl.cli.signals import EXIT_INTERRUPTED
from runtime.counting import counted
from runtime.errors import EdgeclError, EquipmentError, GateError, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from runtime.files.document import Document
    from runtime.stream.summary import StreamEnd


def write_summary(path: Path, document: Document, console: Console) -> bool:
    """Write the summary; False, and a note, where the disk refused it."""
    from runtime.files.document import write_document

    try:
        write_document(path, document)
    except EdgeclError as error:
        console.print(f"note: the summary was not written: {error}", markup=False)
        return False
    return True


def exit_code_of(
    outcome: StreamEnd, max_misses: float, *, live: bool, lost: int, problem: str
) -> int:
    """The exit code.

    Args:
        live: whether frames came from a camera in service, and not from a file.
        lost: verdicts that the disk did not take.
        problem: what the disk said.

    Raises:
        InputError: a file broke off, or none of its frames could be judged.
        EquipmentError: the camera, the model's device or the disk failed.
        GateError: too many frames missed the budget.
    """
    snapshot = outcome.snapshot
    if outcome.interrupted:
        return EXIT_INTERRUPTED
    if outcome.failure is not None:
        raise outcome.failure
    if snapshot.faulty and not snapshot.judged:
        reason = snapshot.last.decision.reason if snapshot.last else ""
        told = f"none of {counted(snapshot.faulty, 'frame')} could be judged (last error: {reason})"
        hint = "check that --camera points at the right source"
        raise EquipmentError(told, hint=hint) if live else InputError(told, hint=hint)
    require_written(lost, problem)
    if snapshot.miss_share > max_misses:
        raise GateError(
            f"{snapshot.misses} of {counted(snapshot.judged, 'frame')} missed the budget "
            f"({snapshot.miss_share:.2%}; {max_misses:.2%} allowed)",
            hint="the summary shows which step was slow; raise --budget, or choose another "
            "--precision",
            code="budget",
        )
    return 0


def require_written(lost: int, problem: str) -> None:
    """Fail where the disk did not take all verdicts.

    Args:
        lost: how many it did not take.
        problem: what it said.

    Raises:
        EquipmentError: some were lost.
    """
    if lost:
        raise EquipmentError(
            f"{counted(lost, 'verdict')} could not be written "
            f"({problem or 'the disk did not answer'})",
            hint="free some space on the disk of --out, or choose another folder with --out",
            code="disk-failing",
        )
