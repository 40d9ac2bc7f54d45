"""The way to fine-tune is chosen out of fold, kept for a resumed run, and told."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgecl.learning.config import TrainConfig
from edgecl.learning.loop.stages import tuning
from edgecl.learning.runner import train_run
from edgecl.learning.teachers import choice


def silent(*_: object) -> None:
    pass


@pytest.fixture
def tuned_config(tiny_config: TrainConfig) -> TrainConfig:
    return replace(
        tiny_config, method="simclr", pretrain_epochs=1, epochs=2, choose_tuning=True, lr=3e-3
    )


def asked(monkeypatch, accuracies: dict[bool, float]) -> list[bool]:
    """Let the comparison find these accuracies, for a frozen encoder and for another one."""
    frozen = []

    def answer(setup, folds, *, stage, what):
        frozen.append(setup.config.freeze)
        assert all(len(known) and len(tested) for known, tested in folds)
        return accuracies[setup.config.freeze]

    monkeypatch.setattr(tuning, "network_accuracy", answer)
    return frozen


def test_the_best_way_is_taken_and_told(tuned_config, tmp_path, monkeypatch):
    asked(monkeypatch, {True: 0.9, False: 0.5})
    result = train_run(tuned_config, tmp_path / "run", report=silent)
    assert result.tuning is not None
    assert result.tuning.chosen == "the head alone"
    assert [one.accuracy for one in result.tuning.candidates] == [0.5, 0.5, 0.9]
    before, after = (
        json.loads(line)["val_loss"]
        for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-2:]
    )
    assert before != after, "the head was trained"


def test_of_equals_all_layers_are_trained_alike(tuned_config, tmp_path, monkeypatch):
    asked(monkeypatch, {True: 0.5, False: 0.5})
    result = train_run(tuned_config, tmp_path / "run", report=silent)
    assert result.tuning is not None
    assert result.tuning.chosen == "all layers at one rate"


def test_a_resumed_run_does_not_choose_again(tuned_config, tmp_path, monkeypatch):
    frozen = asked(monkeypatch, {True: 0.9, False: 0.5})

    def kill(stage: str, done: int, *_: object) -> None:
        if stage == "fine-tuning" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_run(tuned_config, tmp_path / "run", report=kill)
    assert len(frozen) == 3
    result = train_run(tuned_config, tmp_path / "run", report=silent)
    assert len(frozen) == 3
    assert result.tuning is not None
    assert result.tuning.chosen == "the head alone"


def test_the_ways_are_really_compared(tuned_config, tmp_path, monkeypatch):
    monkeypatch.setattr(choice, "FOLDS", 2)
    result = train_run(replace(tuned_config, epochs=1), tmp_path / "run", report=silent)
    assert result.tuning is not None
    assert len({one.accuracy for one in result.tuning.candidates}) > 1


def test_without_pretraining_there_is_nothing_to_keep(tuned_config, tmp_path):
    result = train_run(replace(tuned_config, method="none"), tmp_path / "run", report=silent)
    assert result.tuning is None
