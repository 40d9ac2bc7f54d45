"""Number formats: which are tried where, and what fp16's scaler does to steps that overflow."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgecl.learning.compute.placement import Compute, choose_autocast, formats, quickest
from edgecl.learning.contrastive.augmentation import ZOOM
from edgecl.learning.contrastive.objectives import SimCLR
from edgecl.learning.loop.checkpoint import save
from edgecl.learning.loop.epochs import DivergedError, pretrain_epoch
from edgecl.learning.loop.setup import TrainingSetup
from edgecl.learning.loop.state import RunState
from edgecl.learning.loop.training import set_up
from edgecl.learning.run import run_directory
from edgecl.learning.run.preparation import prepare
from edgecl.learning.runner import train_run
from runtime.errors import InputError

CPU = torch.device("cpu")


def test_a_cpu_tries_no_fp16_and_an_old_gpu_no_bf16(monkeypatch):
    assert formats(CPU) == ("off", "bf16")
    for supported, expected in ((True, ("off", "bf16", "fp16")), (False, ("off", "fp16"))):
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda supported=supported, **_: supported
        )
        assert formats(torch.device("cuda")) == expected


def test_every_format_is_timed_on_a_copy():
    model = nn.Linear(4, 2)
    before = model.weight.clone()
    chosen, seconds = choose_autocast(model, lambda m: m(torch.ones(3, 4)).float().sum(), CPU)
    assert set(seconds) == {"off", "bf16"}
    assert chosen in seconds
    assert model.weight.grad is None
    assert torch.equal(model.weight, before)


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ({"off": 1.0, "bf16": 0.98, "fp16": 0.97}, "off"),
        ({"off": 1.0, "bf16": 0.50, "fp16": 0.49}, "bf16"),
        ({"off": 1.0, "bf16": 0.50, "fp16": 0.30}, "fp16"),
    ],
)
def test_the_simpler_format_stays_unless_another_clearly_wins(seconds, chosen):
    assert quickest(seconds) == chosen


def test_fp16_without_a_gpu_is_refused_before_anything_is_read(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr("edgecl.learning.runner.default_device", lambda: CPU)
    config = replace(tiny_config, autocast="fp16", data="/nowhere")
    with pytest.raises(InputError, match="fp16 needs a GPU"):
        train_run(config, tmp_path / "run", report=lambda *_: None)
    assert not (tmp_path / "run").exists()


class Overflowing(nn.Module):
    """A projector whose output is infinite in the steps named."""

    def __init__(self, steps: set[int]) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 8)
        self.steps, self.calls = steps, 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        z: Tensor = self.layer(images.flatten(1).float() / 255)
        return z * float("nan") if self.calls in self.steps else z


def one_epoch(module: Overflowing, compute: Compute) -> float:
    images = np.random.default_rng(0).integers(0, 256, (24, 8, 8), dtype=np.uint8)
    return pretrain_epoch(
        module,
        torch.optim.Adam(module.parameters(), fused=True),
        images,
        objective=SimCLR(0.1, "all"),
        recipe=ZOOM.contrastive,
        batch_size=4,
        rng=np.random.default_rng(0),
        compute=compute,
        on_step=lambda: None,
    ).loss


def scaling() -> Compute:
    # The CPU's fp16 is not offered to users, but its scaler is the GPU's.
    return Compute(CPU, "fp16")


def test_a_step_that_overflows_is_left_out():
    torch.manual_seed(0)
    module, compute = Overflowing({2}), scaling()
    compute.scaler.scale(torch.ones(1))  # makes its state
    compute.scaler.update(64.0)  # small enough for all the other steps
    assert np.isfinite(one_epoch(module, compute))
    assert compute.scaler.get_scale() == 32.0
    assert all(p.isfinite().all() for p in module.parameters())


def test_without_a_scaler_the_same_step_ends_the_run():
    with pytest.raises(DivergedError) as caught:
        one_epoch(Overflowing({2}), Compute(CPU, "off"))
    assert caught.value.step == 2


def test_a_run_that_is_lost_is_lost_with_a_scaler_too():
    with pytest.raises(DivergedError) as caught:
        one_epoch(Overflowing({3, 4, 5, 6}), scaling())
    assert caught.value.step == 3
    compute = scaling()
    compute.scaler.scale(torch.ones(1))  # makes its state
    compute.scaler.update(2.0**-20)
    with pytest.raises(DivergedError):
        one_epoch(Overflowing(set()), compute)


def test_the_scale_survives_a_kill(tiny_config, tmp_path):
    prepared = prepare(tiny_config, lambda *_: None)

    def begun(compute: Compute) -> tuple[TrainingSetup, RunState]:
        return set_up(tiny_config, prepared, tmp_path, compute=compute, report=lambda *_: None)

    setup, state = begun(scaling())
    setup.compute.scaler.scale(torch.ones(1))  # makes its state
    setup.compute.scaler.update(512.0)
    save(setup, state)
    again, _ = begun(scaling())
    assert again.compute.scaler.get_scale() == 512.0
    held = run_directory.load_checkpoint(tmp_path)
    assert held is not None
    assert json.loads(json.dumps(held["scaler"]))["scale"] == 512.0
