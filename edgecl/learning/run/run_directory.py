"""The run directory: names, reading and writing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from msgspec.structs import asdict
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from edgecl.learning.config import TrainConfig
from edgecl.learning.documents import EpochMeasures, MetricsLine, RunConfig, RunResult
from edgecl.learning.model import Backbone, Classifier
from edgecl.learning.run.pretrained import PRETRAINED
from runtime.errors import InputError
from runtime.files.atomic import replacing
from runtime.files.document import parse_document, read_lines, write_document, write_lines
from runtime.files.table import new_table

CONFIG = "config.json"
CHECKPOINT = "checkpoint.pt"
METRICS = "metrics.jsonl"
PREDICTIONS = "predictions.csv"
RIVALS = "rivals.csv"
RESULT = "result.json"
ENCODER = "encoder.safetensors"
CLASSIFIER = "classifier.safetensors"
RUNS = Path("runs")


def read_config(run: Path) -> RunConfig:
    """Read config.json.

    Raises:
        InputError: no run there, or one of a newer version.
    """
    path = run / CONFIG
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{run} is not a run: {CONFIG} cannot be read ({error.strerror})",
            hint="pass a folder written by 'edgecl train'",
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON", hint="train again") from error
    if isinstance(value, dict) and isinstance(value.get("choices"), dict):
        # A choice that is not known must not be left out in silence.
        TrainConfig.require_known(value["choices"], where=str(path))
    return parse_document(value, RunConfig, where=str(path))


def newest_run(root: Path = RUNS, *, finished: bool = True) -> Path:
    """The run of `root` that was written last.

    Args:
        finished: True for a run with a result, False for one that was broken off.

    Raises:
        InputError: there is none.
    """
    runs = [
        path.parent
        for path in root.glob(f"*/{CONFIG}")
        if ((path.parent / RESULT).exists() if finished else not _complete(path.parent))
    ]
    if not runs:
        kind = "finished" if finished else "unfinished"
        raise InputError(
            f"no {kind} run found in {root.absolute()}",
            hint="start one with 'edgecl train', or pass its folder",
        )
    marker = RESULT if finished else CONFIG
    return max(runs, key=lambda run: ((run / marker).stat().st_mtime_ns, run.name))


def _complete(run: Path) -> bool:
    """Whether nothing is left to do: there is a result, or the only pretraining is done."""
    if (run / RESULT).exists():
        return True
    return (run / PRETRAINED).exists() and read_config(run).choices.pretrain_only


def write_metrics(run: Path, history: Sequence[EpochMeasures]) -> None:
    """Write metrics.jsonl: one line per epoch."""
    lines = [MetricsLine(**asdict(epoch)) for epoch in history]
    write_lines(run / METRICS, lines)


def read_metrics(run: Path) -> list[MetricsLine]:
    """Read metrics.jsonl.

    Raises:
        InputError: it cannot be read, or a line is damaged.
    """
    return read_lines(run / METRICS, MetricsLine)


def write_predictions(
    run: Path,
    *,
    files: Sequence[str],
    groups: Sequence[str],
    targets: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    labels: Sequence[str],
) -> None:
    """Write predictions.csv: one row per tested image."""
    predicted = probabilities.argmax(1)
    with (
        replacing(run / PREDICTIONS) as path,
        new_table(path) as write_row,
    ):
        write_row(
            ["file", "group", "truth", "predicted", "confidence", *(f"p_{name}" for name in labels)]
        )
        for row, file in enumerate(files):
            shares = [f"{value:.6f}" for value in probabilities[row]]
            answer = int(predicted[row])
            write_row(
                [
                    file,
                    groups[row],
                    labels[int(targets[row])],
                    labels[answer],
                    shares[answer],
                    *shares,
                ]
            )


def write_rivals(
    run: Path,
    *,
    files: Sequence[str],
    targets: NDArray[np.int64],
    answers: Mapping[str, NDArray[np.int64]],
    labels: Sequence[str],
) -> None:
    """Write rivals.csv: one row per tested image, with the class that each rival found."""
    with (
        replacing(run / RIVALS) as path,
        new_table(path) as write_row,
    ):
        write_row(["file", "truth", *answers])
        for row, file in enumerate(files):
            found = (labels[int(said[row])] for said in answers.values())
            write_row([file, labels[int(targets[row])], *found])


def write_result(run: Path, result: RunResult) -> None:
    """Write result.json; a run that has one is finished."""
    write_document(run / RESULT, result)


def read_result(run: Path) -> RunResult:
    """Read result.json.

    Raises:
        InputError: the run did not finish, or a field is missing or of another type.
    """
    path = run / RESULT
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(value, dict):
            raise ValueError("not an object")
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{run} has no readable {RESULT}: the run is not finished",
            hint=f"finish it with 'edgecl train --resume --out {run}'",
        ) from error
    return parse_document(value, RunResult, where=str(path))


def save_weights(run: Path, classifier: Classifier) -> None:
    """Write encoder.safetensors and classifier.safetensors."""
    for name, module in ((ENCODER, classifier.backbone), (CLASSIFIER, classifier.head)):
        tensors = {
            key: value.detach().cpu().contiguous() for key, value in module.state_dict().items()
        }
        with replacing(run / name) as path:
            save_file(tensors, path)


def load_classifier(run: Path) -> tuple[Classifier, RunConfig]:
    """The trained network of a finished run, in evaluation mode on the CPU.

    Returns:
        The network, and config.json.

    Raises:
        InputError: the run is not finished, or its weights are damaged.
    """
    config = read_config(run)
    read_result(run)
    choices = config.choices
    backbone = Backbone(choices.encoder, choices.image_size, choices.channels)
    classifier = Classifier(backbone, len(config.labels))
    for name, module in ((ENCODER, classifier.backbone), (CLASSIFIER, classifier.head)):
        path = run / name
        try:
            module.load_state_dict(load_file(path))
        except (OSError, SafetensorError, RuntimeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(
                f"cannot load the weights from {path} ({reason})",
                hint="copy the run again, or train again",
            ) from error
    return classifier.eval(), config


def save_checkpoint(run: Path, state: Mapping[str, Any]) -> None:
    """Write checkpoint.pt, whole or not at all."""
    with replacing(run / CHECKPOINT) as path:
        torch.save(dict(state), path)


def load_checkpoint(run: Path) -> dict[str, Any] | None:
    """Read checkpoint.pt; None where the run was killed before its first epoch ended.

    Raises:
        InputError: the file is damaged.
    """
    path = run / CHECKPOINT
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen kinds for a damaged file
        raise InputError(
            f"{path} is damaged and cannot be resumed",
            hint=f"delete it and restart the run with 'edgecl train --resume --out {run}'",
        ) from error
    return state
