"""`--compile`: names and numbers stay, and what cannot be compiled trains as before."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from edgecl.learning.compute.placement import Compute
from edgecl.learning.loop.compilation import compile_networks, run_eagerly
from edgecl.learning.loop.state import Networks
from edgecl.learning.optimisation.averaging import WeightAverage
from edgecl.learning.run.preparation import prepare
from edgecl.learning.runner import train_run

COMPUTE = Compute(torch.device("cpu"), "off")


@pytest.fixture(autouse=True)
def _fresh_dynamo():
    before = torch._dynamo.config.suppress_errors
    yield
    torch._dynamo.config.suppress_errors = before
    torch._dynamo.reset()


def compile_with(monkeypatch, backend):
    """Let networks be compiled by `backend`: the real one takes minutes and needs a compiler."""
    real = nn.Module.compile
    monkeypatch.setattr(
        nn.Module, "compile", lambda self, **options: real(self, backend=backend, **options)
    )


def broken(graph: object, inputs: object) -> None:
    raise RuntimeError("no C++ compiler was found\nand much more")


@pytest.fixture
def networks(tiny_config):
    return Networks.build(tiny_config, prepare(tiny_config, lambda *_: None), COMPUTE.device)


@pytest.fixture
def short_config(tiny_config):
    """Both stages, each as short as it gets."""
    return replace(tiny_config, pretrain_epochs=1, epochs=1)


@pytest.fixture
def uncompiled(short_config, made_once):
    return made_once("runs/short", lambda run: train_run(short_config, run, report=lambda *_: None))


def test_nothing_happens_unless_asked(networks, tiny_config):
    assert compile_networks(networks, tiny_config, COMPUTE) == ()
    assert networks.projector._compiled_call_impl is None


def test_the_trial_changes_neither_weights_nor_names_nor_random_numbers(
    networks, tiny_config, monkeypatch
):
    compile_with(monkeypatch, "eager")
    before = copy.deepcopy(networks.state())
    random = torch.get_rng_state()
    config = replace(tiny_config, compile=True)
    assert compile_networks(networks, config, COMPUTE) == ()
    assert networks.projector._compiled_call_impl is not None
    assert torch.equal(torch.get_rng_state(), random)
    for part, tensors in networks.state().items():
        assert list(tensors) == list(before[part])
        assert all(torch.equal(tensors[name], before[part][name]) for name in tensors)
    assert all(p.grad is None for p in networks.projector.parameters())
    assert WeightAverage(networks.classifier).model._compiled_call_impl is None
    run_eagerly(networks.classifier)
    assert networks.classifier._compiled_call_impl is None


def test_a_compiled_run_is_the_uncompiled_one(uncompiled, short_config, tmp_path, monkeypatch):
    compile_with(monkeypatch, "eager")
    run = tmp_path / "run"
    result = train_run(replace(short_config, compile=True), run, report=lambda *_: None)
    assert not [note for note in result.notes if "--compile" in note]
    for name in ("predictions.csv", "encoder.safetensors", "classifier.safetensors"):
        assert (run / name).read_bytes() == (uncompiled / name).read_bytes()


def test_without_a_compiler_the_run_goes_on_and_says_so(
    uncompiled, short_config, tmp_path, monkeypatch
):
    compile_with(monkeypatch, broken)
    run = tmp_path / "run"
    result = train_run(replace(short_config, compile=True), run, report=lambda *_: None)
    notes = [note for note in result.notes if note.startswith("--compile")]
    assert len(notes) == 2
    assert all("trained uncompiled" in note and "no C++ compiler" in note for note in notes)
    for name in ("predictions.csv", "encoder.safetensors", "classifier.safetensors"):
        assert (run / name).read_bytes() == (uncompiled / name).read_bytes()
