"""The runs of a study, one after the other or in several processes, each once."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from edgecl.learning.config import TrainConfig
from edgecl.learning.run import run_directory
from edgecl.learning.run.pretrained import PRETRAINED
from edgecl.learning.run.sources import RememberingSource
from edgecl.learning.runner import pretrain_run, train_run
from edgecl.study.cells import Cell, cells
from edgecl.study.documents import Failure
from edgecl.study.geometry import settled
from edgecl.study.grid import STUDY_SCHEMA, Study
from runtime.errors import InputError
from runtime.files.atomic import write_json
from runtime.image.flat.file import read_flat
from runtime.progress import StageProgress

GRID = "study.json"
LOCKS = "locks"
POLL_SECONDS = 1.0
# May change between the parts of one study without making them another one's.
_FREE = ("autocast", "pretrained")


def begin(study: Study, folder: Path) -> None:
    """Write the grid into the study's folder, or check that the folder's runs fit it.

    Raises:
        InputError: the folder holds something else, or runs with other choices, or the
            flat-field is none.
    """
    path = folder / GRID
    if study.flat:
        read_flat(Path(study.flat))  # before any run, for each of them would fail
    if folder.exists() and not path.exists() and any(folder.iterdir()):
        raise InputError(
            f"{folder} already exists and is not a study", hint="choose another folder with --out"
        )
    for cell in settled(folder, cells(study)):
        run = folder / cell.name
        if not (run / run_directory.CONFIG).exists():
            continue
        before = run_directory.read_config(run).choices
        changed = _changed(before, cell.config)
        if changed:
            raise InputError(
                f"{run} was run with {changed} {getattr(before, changed)}, but the study "
                f"now has {getattr(cell.config, changed)}",
                hint="use another --out, or the options that the study was started with",
            )
    write_json(path, {"schema": STUDY_SCHEMA, "grid": study.to_json()})


def read_grid(folder: Path) -> Study:
    """The grid of a study's folder.

    Raises:
        InputError: there is none, or it is of a newer version.
    """
    path = folder / GRID
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        schema, grid = whole["schema"], whole["grid"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder} is not a study: {GRID} cannot be read", hint="pass the folder of a study"
        ) from error
    if schema > STUDY_SCHEMA:
        raise InputError(f"{path} was written by a newer edgecl", hint="update edgecl")
    return Study.from_json(grid, where=str(path))


def is_done(folder: Path, cell: Cell) -> bool:
    """Whether the cell's run has come to its end."""
    last = PRETRAINED if cell.config.pretrain_only else run_directory.RESULT
    return (folder / cell.name / last).exists()


def count_done(folder: Path, everything: Sequence[Cell]) -> int:
    """Return how many of the cells are finished."""
    return sum(is_done(folder, cell) for cell in everything)


def work(study: Study, folder: Path, report: StageProgress) -> list[Failure]:
    """Finish every run of the study that no other process works on.

    Several processes may work on one folder: a lock per run, which a dying process loses, keeps
    them apart. A run that was broken off goes on where it stood.

    Args:
        report: called with (stage, done, total, text); done and total count the study's runs.

    Returns:
        The runs that failed, and those that wait for one of them.
    """
    grid = cells(study)
    source = RememberingSource()
    failed: dict[str, str] = {}
    while True:
        everything = settled(folder, grid, failed)
        pending = [c for c in everything if c.name not in failed and not is_done(folder, c)]
        if not pending:
            return [Failure(name, reason) for name, reason in failed.items()]
        moved = False
        for cell in pending:
            if cell.waits:
                if cell.chosen_by in failed:
                    failed[cell.name] = f"{cell.chosen_by}, which chooses its geometry, failed"
                    moved = True
                continue
            if cell.needs in failed:
                failed[cell.name] = f"its pretraining {cell.needs} failed"
                moved = True
                continue
            if cell.needs and not (folder / cell.needs / PRETRAINED).exists():
                continue
            with claimed(folder / LOCKS / cell.name.replace("/", "_")) as ours:
                if not ours or is_done(folder, cell):
                    continue
                moved = True
                done = count_done(folder, everything)
                config = cell.config
                if cell.needs:
                    config = replace(config, pretrained=str((folder / cell.needs).absolute()))
                try:
                    (pretrain_run if config.pretrain_only else train_run)(
                        config,
                        folder / cell.name,
                        report=_within(report, cell.name, done, len(everything)),
                        source=source,
                    )
                except InputError as error:
                    failed[cell.name] = " ".join(str(error).split())
        if not moved:  # all that is left is in other hands
            time.sleep(POLL_SECONDS)


def _within(report: StageProgress, name: str, done: int, total: int) -> StageProgress:
    short = name.partition("/")[2]

    def step(stage: str, at: int, of: int, text: str) -> None:
        share = f" {at / of:.0%}" if of else ""
        report("study", done, total, f"{short}: {stage}{share}")

    return step


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Hold a lock, which a dying process loses; yields False where another process has it.

    Args:
        path: the lock's file, made where it is not there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _changed(before: TrainConfig, now: TrainConfig) -> str:
    """The first choice that differs; empty for none."""
    old, new = before.to_json(), now.to_json()
    return next((k for k in old if k not in _FREE and old[k] != new[k]), "")
