"""The run directory: names, reading and writing."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from edgecl.learning.config import CONFIG_SCHEMA, TrainConfig
from edgecl.learning.model import Backbone, Classifier
from edgecl.learning.run.pretrained import PRETRAINED
from runtime.errors import InputError
from runtime.files.atomic import replacing, write_json, write_text

CONFIG = "config.json"
CHECKPOINT = "checkpoint.pt"
METRICS = "metrics.jsonl"
PREDICTIONS = "predictions.csv"
RESULT = "result.json"
ENCODER = "encoder.safetensors"
CLASSIFIER = "classifier.safetensors"
RUNS = Path("runs")


def read_config(run: Path) -> tuple[TrainConfig, dict[str, Any]]:
    """The choices of a run, and the whole config.json.

    Raises:
        InputError: no run there, or one of a newer version.
    """
    path = run / CONFIG
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{run} is not a run: {CONFIG} cannot be read ({error.strerror})",
            hint="pass a folder written by 'edgecl train'",
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON", hint="train again") from error
    if not isinstance(whole, dict) or not isinstance(whole.get("schema"), int):
        raise InputError(f"{path} is not a run's config", hint="train again")
    if whole["schema"] > CONFIG_SCHEMA:
        raise InputError(
            f"{path} was written by a newer edgecl", hint="update edgecl, or train again"
        )
    if not isinstance(whole.get("choices"), dict):
        raise InputError(f"{path} lacks the field 'choices'", hint="train again")
    return TrainConfig.from_json(whole["choices"], where=str(path)), whole


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
    return (run / PRETRAINED).exists() and read_config(run)[0].pretrain_only


def write_metrics(run: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write metrics.jsonl: one line per epoch."""
    write_text(run / METRICS, "".join(json.dumps(dict(line)) + "\n" for line in history))


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
        # Names that are not UTF-8 keep their bytes.
        open(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(
            ["file", "group", "truth", "predicted", "confidence", *(f"p_{name}" for name in labels)]
        )
        for row, file in enumerate(files):
            shares = [f"{value:.6f}" for value in probabilities[row]]
            answer = int(predicted[row])
            writer.writerow(
                [
                    file,
                    groups[row],
                    labels[int(targets[row])],
                    labels[answer],
                    shares[answer],
                    *shares,
                ]
            )


def write_result(run: Path, result: Mapping[str, Any]) -> None:
    """Write result.json; a run that has one is finished."""
    write_json(run / RESULT, dict(result))


def read_result(run: Path) -> dict[str, Any]:
    """Read result.json.

    Raises:
        InputError: the run did not finish.
    """
    try:
        result: dict[str, Any] = json.loads((run / RESULT).read_text(encoding="utf-8"))
        if not isinstance(result, dict):
            raise ValueError("not an object")
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{run} has no readable {RESULT}: the run is not finished",
            hint=f"finish it with 'edgecl train --resume --out {run}'",
        ) from error
    return result


def save_weights(run: Path, classifier: Classifier) -> None:
    """Write encoder.safetensors and classifier.safetensors."""
    for name, module in ((ENCODER, classifier.backbone), (CLASSIFIER, classifier.head)):
        tensors = {
            key: value.detach().cpu().contiguous() for key, value in module.state_dict().items()
        }
        with replacing(run / name) as path:
            save_file(tensors, path)


def load_classifier(run: Path) -> tuple[Classifier, TrainConfig, dict[str, Any]]:
    """The trained network of a finished run, in evaluation mode on the CPU.

    Returns:
        The network, the run's choices, and the whole config.json.

    Raises:
        InputError: the run is not finished, or its weights are damaged.
    """
    config, whole = read_config(run)
    read_result(run)
    labels = whole["labels"]
    backbone = Backbone(config.encoder, config.image_size, config.channels)
    classifier = Classifier(backbone, len(labels))
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
    return classifier.eval(), config, whole


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
