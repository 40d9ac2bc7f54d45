"""A run directory from its choices: prepared, recorded, trained or resumed."""

from __future__ import annotations

import platform
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from edgecl import __version__
from edgecl.encoders import build_encoder
from edgecl.learning import run_directory
from edgecl.learning.allocator import keep_activations
from edgecl.learning.compute import Compute, default_device
from edgecl.learning.config import CONFIG_SCHEMA, TrainConfig
from edgecl.learning.number_format import decide_autocast
from edgecl.learning.preparation import Prepared, Report, prepare
from edgecl.learning.training import Training
from runtime.atomic import write_json
from runtime.errors import InputError


def train_run(config: TrainConfig, run: Path, *, report: Report) -> dict[str, Any]:
    """Train `config` into the folder `run`, from the start or from its checkpoint.

    Args:
        report: called with (stage, done, total, text).

    Returns:
        What result.json holds.

    Raises:
        InputError: the data or the image size cannot be used, or the data is not what the run
            began with.
    """
    keep_activations()
    with torch.device("meta"):  # an image size that it cannot take shows before any picture is read
        build_encoder(config.encoder, image_size=config.image_size)
    prepared = prepare(config, report)
    device = default_device()
    recorded: dict[str, Any] | None = None
    if (run / run_directory.CONFIG).exists():
        config, whole = run_directory.read_config(run)
        if whole["data_digest"] != prepared.pictures.digest():
            raise InputError(
                f"the pictures in {config.data or 'the built-in set'} are not those that {run} "
                f"began with",
                mend="bring the old pictures back, or start a new run",
            )
    else:
        autocast, timing = decide_autocast(config, prepared, device)
        config = replace(config, autocast=autocast)
        recorded = _config_json(config, prepared, device, timing)
    training = Training(
        config, prepared, run, compute=Compute(device, config.autocast), report=report
    )
    if recorded is not None:  # only now: a network that cannot be built leaves no folder
        write_json(run / run_directory.CONFIG, recorded)
    return training.finish()


def _config_json(
    config: TrainConfig, prepared: Prepared, device: torch.device, timing: dict[str, float]
) -> dict[str, Any]:
    return {
        "schema": CONFIG_SCHEMA,
        "choices": config.to_json(),
        "labels": list(prepared.pictures.labels),
        "data_digest": prepared.pictures.digest(),
        "counts": prepared.counts,
        "autocast_seconds_per_step": timing,
        "command": sys.argv,
        "machine": {
            "system": platform.platform(),
            "python": platform.python_version(),
            "device": str(device),
            "threads": torch.get_num_threads(),
        },
        "versions": {
            "edgecl": __version__,
            **{name: version(name) for name in ("torch", "numpy", "opencv-python", "scikit-learn")},
        },
    }
