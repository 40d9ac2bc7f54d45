"""A run whose INT8 suffers in one layer."""

from __future__ import annotations

import shutil

import pytest
from safetensors.torch import load_file, save_file


@pytest.fixture
def spoilt(trained_run, tmp_path):
    """The same function, but one channel that the dense layer reads is 2000 times the others."""
    run = tmp_path / "spoilt"
    shutil.copytree(trained_run, run)
    encoder = load_file(run / "encoder.safetensors")
    # ReLU and maximum between the two layers pass a factor on.
    for name in encoder:
        if name.split(".")[-3:-1] == ["head", "0"]:
            encoder[name][0] *= 2000
        elif name.endswith("dense.weight"):
            encoder[name][:, 0] /= 2000
    save_file(encoder, run / "encoder.safetensors")
    return run
