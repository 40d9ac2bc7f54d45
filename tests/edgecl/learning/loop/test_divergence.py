"""Whatever stops being a number in training is one line, with the step and what to try."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from edgecl.cli.shell import run as edgecl
from edgecl.learning.compute.placement import Compute
from edgecl.learning.loop.answers import embed, predict
from edgecl.learning.loop.epochs import DivergedError
from edgecl.learning.model import Backbone, Classifier
from edgecl.learning.run import run_directory
from edgecl.learning.runner import pretrain_run, train_run
from edgecl.study import execution
from edgecl.study.cells import cells
from edgecl.study.grid import Study
from runtime.errors import InputError


def silent(*_: object) -> None:
    pass


@pytest.mark.parametrize(
    ("method", "step", "words"),
    [
        ("simclr", 10, "the weights of pretraining became non-finite in epoch 2, step 5 "),
        ("none", 30, "the weights of fine-tuning became non-finite in epoch 3, step 10 "),
    ],
)
def test_weights_that_break_in_an_epochs_last_step(
    tiny_config, tmp_path, monkeypatch, method, step, words
):
    """No loss comes after them, and none shows it."""
    work, steps = Compute.step, []

    def broken(self: Compute, optimizer: torch.optim.Optimizer) -> None:
        work(self, optimizer)
        steps.append(optimizer)
        if len(steps) == step:
            optimizer.param_groups[0]["params"][0].data.fill_(float("nan"))

    monkeypatch.setattr(Compute, "step", broken)
    with pytest.raises(InputError, match=words):
        train_run(replace(tiny_config, method=method), tmp_path / "run", report=silent)
    state = run_directory.load_checkpoint(tmp_path / "run")
    assert state is not None
    assert len(steps) == step
    assert all(t.isfinite().all() for t in state["networks"]["backbone"].values())


@pytest.mark.parametrize(
    ("choices", "named"),
    [
        (["--method", "simclr", "--pretrain-epochs", "1", "--pretrain-lr", "1e6"], "pretrain"),
        (["--method", "nnclr", "--pretrain-epochs", "1", "--pretrain-lr", "1e9"], "pretrain"),
        (["--method", "none", "--lr", "1e4"], "fine-tun"),
        (["--method", "none", "--lr", "1e12"], "fine-tun"),
        (["--method", "none", "--lr", "1e30"], "fine-tun"),
    ],
)
def test_the_command_says_stage_epoch_step_and_hint(class_folders, tmp_path, capfd, choices, named):
    quick = ["--image-size", "32x32", "--batch-size", "16", "--autocast", "off", "--epochs", "3"]
    command = ["train", "--data", str(class_folders), *quick, *choices]
    assert edgecl([*command, "--out", str(tmp_path / "run")]) == 2
    err = capfd.readouterr().err
    assert "Traceback" not in err
    (line,) = (line for line in err.splitlines() if line.startswith("edgecl: "))
    assert f"of {named}" in line
    assert ", step " in line
    assert "start a new run with --" in line
    assert not (tmp_path / "run" / "result.json").exists()


@pytest.fixture
def network() -> Classifier:
    torch.manual_seed(0)
    return Classifier(Backbone("convnet", (32, 32), 1), 3).eval()


def images(count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32), np.uint8)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_answers_that_are_no_numbers_are_told_by_whoever_asks(network, value):
    with torch.no_grad():
        next(iter(network.head.parameters())).fill_(value)
    assert embed(network.backbone, images(), torch.device("cpu")).shape == (3, 128)
    with pytest.raises(DivergedError) as caught:
        predict(network, images(), torch.device("cpu"))
    assert caught.value.what == "the outputs"


def test_the_test_part_is_looked_at_too(trained_run, tiny_config, tmp_path, monkeypatch):
    """Answers may overflow on images that nobody chose by."""

    def overflow(*_: object):
        raise DivergedError(None, "the outputs")

    monkeypatch.setattr("edgecl.learning.loop.conclusion.answer_tiles", overflow)
    config = replace(tiny_config, method="none", epochs=1)
    with pytest.raises(InputError, match=r"the outputs of fine-tuning .* after epoch 1 "):
        train_run(config, tmp_path / "run", report=silent)
    assert not (tmp_path / "run" / "result.json").exists()


def test_weights_from_elsewhere_that_are_no_numbers_are_named(tiny_config, tmp_path):
    first = replace(tiny_config, pretrain_only=True, pretrain_epochs=1)
    pretrain_run(first, tmp_path / "first", report=silent)
    from safetensors import safe_open
    from safetensors.torch import save_file

    path = tmp_path / "first" / "pretrained.safetensors"
    with safe_open(path, framework="pt") as file:
        facts = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    broken = {k: v * float("nan") if v.is_floating_point() else v for k, v in tensors.items()}
    save_file(broken, path, metadata=facts)
    second = replace(tiny_config, pretrained=str(tmp_path / "first"))
    words = r"the embeddings of fine-tuning .* before its first step .* other weights than those of"
    with pytest.raises(InputError, match=words):
        train_run(second, tmp_path / "second", report=silent)


def test_a_study_goes_on_without_the_run_that_diverged(class_folders, tmp_path):
    study = Study(
        data=str(class_folders),
        methods=("simclr",),
        arms=("in-domain",),
        folds=2,
        image_size=(32, 32),
        pretrain_epochs=1,
        epochs=1,
        batch_size=16,
        pretrain_lr=1e6,
        autocast="off",
    )
    execution.begin(study, tmp_path / "study")
    failures = execution.work(study, tmp_path / "study", silent)
    reasons = {failure.cell: failure.reason for failure in failures}
    pretrainings = [cell.name for cell in cells(study) if cell.config.pretrain_only]
    assert pretrainings
    for name in pretrainings:
        assert "of pretraining became non-finite" in reasons[name]
    assert all("\n" not in reason for reason in reasons.values())
    done = [cell for cell in cells(study) if execution.is_done(tmp_path / "study", cell)]
    assert {cell.config.method for cell in done} == {"none"}
