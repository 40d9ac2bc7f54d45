"""A run that exports soon, and one whose INT8 suffers in one layer."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from edgecl.learning.config import TrainConfig
from edgecl.learning.runner import train_run
from tests.made_once import MadeOnce


@pytest.fixture(scope="session")
def trained_run(tiny_config: TrainConfig, made_once: MadeOnce) -> Path:
    """Train ConvNet: it has 6 layers to quantise where ShuffleNet has 20."""
    config = replace(tiny_config, encoder="convnet")
    return made_once("runs/convnet", lambda run: train_run(config, run, report=lambda *_: None))


@pytest.fixture
def spoilt(trained_run, tmp_path):
    """The same function, but one channel that the dense layer reads is 2000 times the others."""
    run = tmp_path / "spoilt"
    shutil.copytree(trained_run, run)
    encoder = load_file(run / "encoder.safetensors")
    # The ReLU between the two layers passes a factor on; the map before the dense one is 1x1.
    for name in encoder:
        if name.split(".")[-3:-1] == ["features", "6"]:
            encoder[name][0] *= 2000
        elif name.endswith("dense.weight"):
            encoder[name][:, 0] /= 2000
    save_file(encoder, run / "encoder.safetensors")
    return run
