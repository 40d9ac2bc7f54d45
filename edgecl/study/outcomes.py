"""Collection of each condition's predictions, image by image, from a study's run directories."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, recall_score

from edgecl.learning.contrastive.collapse import learnt_nothing
from edgecl.learning.documents import MetricsLine, RunResult
from edgecl.learning.run import run_directory
from edgecl.study.cells import Cell
from edgecl.study.documents import PretrainingSpeed
from edgecl.study.execution import is_done
from edgecl.study.grid import Condition
from runtime.errors import InputError


@dataclass(frozen=True)
class ConditionOutcome:
    """Predictions of one condition over all its seeds, folds and draws.

    Args:
        condition: which.
        files: N names of the tested images, sorted.
        groups: N names.
        right: float64, N: how often each was answered rightly, 0 to 1.
        runs: how many runs are in it.
        expected_runs: how many there are to be.
        accuracy_per_repeat: of each seed and draw whose folds are all done.
        macro_f1: mean over these; None where no seed is complete.
        recall: per class, over all answers.
        epoch_seconds: median time of a fine-tuning epoch.
        result: one run's result.json.
    """

    condition: Condition
    files: Sequence[str]
    groups: Sequence[str]
    right: NDArray[np.float64]
    runs: int
    expected_runs: int
    accuracy_per_repeat: dict[str, float]
    macro_f1: float | None
    recall: dict[str, float]
    epoch_seconds: float
    result: RunResult


def collect(folder: Path, everything: Sequence[Cell]) -> list[ConditionOutcome]:
    """Every condition with at least one finished run, in the order of the grid.

    Raises:
        InputError: a finished run's files are damaged.
    """
    by_condition: dict[Condition, list[Cell]] = defaultdict(list)
    for cell in everything:
        if cell.condition is not None:
            by_condition[cell.condition].append(cell)
    outcomes = []
    for condition, group in by_condition.items():
        done = [cell for cell in group if is_done(folder, cell)]
        if done:
            outcomes.append(_outcome(folder, condition, done, len(group)))
    return outcomes


def _outcome(
    folder: Path, condition: Condition, done: Sequence[Cell], expected: int
) -> ConditionOutcome:
    hits: dict[str, list[bool]] = defaultdict(list)
    group_of: dict[str, str] = {}
    repeats: dict[str, list[dict[str, str]]] = defaultdict(list)
    folds: dict[str, int] = defaultdict(int)
    seconds: list[float] = []
    for cell in done:
        repeat = f"seed {cell.config.seed}"
        repeat += f", draw {cell.config.label_draw}" if condition.label_share < 1 else ""
        rows = _predictions(folder / cell.name)
        for row in rows:
            hits[row["file"]].append(row["truth"] == row["predicted"])
            group_of[row["file"]] = row["group"]
        repeats[repeat] += rows
        folds[repeat] += 1
        seconds += [
            line.seconds for line in _metrics(folder / cell.name) if line.stage == "finetune"
        ]
    whole = [name for name in repeats if folds[name] == done[0].config.folds]
    files = sorted(hits)
    every = [row for rows in repeats.values() for row in rows]
    labels = sorted({row["truth"] for row in every})
    recall = recall_score(
        [row["truth"] for row in every],
        [row["predicted"] for row in every],
        labels=labels,
        average=None,
        zero_division=0,
    )
    return ConditionOutcome(
        condition=condition,
        files=files,
        groups=[group_of[file] for file in files],
        right=np.array([fmean(hits[file]) for file in files]),
        runs=len(done),
        expected_runs=expected,
        accuracy_per_repeat={name: _accuracy(repeats[name]) for name in whole},
        macro_f1=fmean(_macro_f1(repeats[name]) for name in whole) if whole else None,
        recall=dict(zip(labels, map(float, recall), strict=True)),
        epoch_seconds=median(seconds) if seconds else 0.0,
        result=run_directory.read_result(folder / done[0].name),
    )


def pretraining_speeds(
    folder: Path, everything: Sequence[Cell]
) -> dict[tuple[str, str, str], PretrainingSpeed]:
    """(encoder, method, arm) → how its pretraining went, as far as it is done."""
    by_arm: dict[tuple[str, str, str], list[Cell]] = defaultdict(list)
    arm_of = {cell.needs: cell.condition.arm for cell in everything if cell.condition}
    for cell in everything:
        if cell.config.pretrain_only and is_done(folder, cell):
            by_arm[cell.config.encoder, cell.config.method, arm_of[cell.name]].append(cell)
    return {key: _speed(folder, group) for key, group in by_arm.items()}


def _speed(folder: Path, group: Sequence[Cell]) -> PretrainingSpeed:
    steps, rates, last = [], [], []
    for cell in group:
        lines = _metrics(folder / cell.name)
        counts = run_directory.read_config(folder / cell.name).counts
        count = counts["pretraining"] // cell.config.batch_size
        # Epochs that also probed took longer for it.
        plain = [line.seconds for line in lines if line.probe_accuracy is None]
        epoch = median(plain or [line.seconds for line in lines])
        steps.append(epoch / count)
        rates.append(count * cell.config.batch_size / epoch)
        last.append(lines[-1])
    return PretrainingSpeed(
        step_seconds=median(steps),
        images_per_second=median(rates),
        probe_accuracy=fmean(_known(line.probe_accuracy) for line in last),
        knn_accuracy=fmean(_known(line.knn_accuracy) for line in last),
        contrastive_accuracy=fmean(_known(line.contrastive_accuracy) for line in last),
        runs=len(group),
        learnt_nothing=sum(
            learnt_nothing(cell.config, line.pretraining_loss)
            for cell, line in zip(group, last, strict=True)
        ),
    )


def _predictions(run: Path) -> list[dict[str, str]]:
    path = run / run_directory.PREDICTIONS
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            rows = [
                {name: row[name] for name in ("file", "group", "truth", "predicted")}
                for row in csv.DictReader(stream)
            ]
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path} cannot be read", hint=f"delete {run} and run the study again"
        ) from error
    return rows


def _metrics(run: Path) -> list[MetricsLine]:
    try:
        return run_directory.read_metrics(run)
    except InputError as error:
        raise InputError(error.problem, hint=f"delete {run} and run the study again") from error


def _known(value: float | None) -> float:
    """A measure that every last epoch of pretraining has."""
    assert value is not None
    return value


def _accuracy(rows: Sequence[dict[str, str]]) -> float:
    return fmean(row["truth"] == row["predicted"] for row in rows)


def _macro_f1(rows: Sequence[dict[str, str]]) -> float:
    truth, predicted = [row["truth"] for row in rows], [row["predicted"] for row in rows]
    return float(f1_score(truth, predicted, average="macro", zero_division=0))
