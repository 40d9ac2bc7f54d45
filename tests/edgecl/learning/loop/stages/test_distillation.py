"""Self-training in a run: who teaches, what the student learns, and that a kill costs nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecl.learning.config import TrainConfig
from edgecl.learning.documents import RunResult, SelfTrainingFacts
from edgecl.learning.run import run_directory
from edgecl.learning.run.teaching import TEACHER, read_teaching
from edgecl.learning.runner import train_run
from edgecl.learning.teachers import choice
from runtime.errors import InputError


def facts_of(result: RunResult) -> SelfTrainingFacts:
    assert result.self_training is not None
    return result.self_training


def silent(*_: object) -> None:
    pass


@pytest.fixture(autouse=True, scope="module")
def few_folds() -> Iterator[None]:
    """Ask each possible teacher in two folds, not five: a network is trained in each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "FOLDS", 2)
        yield


@pytest.fixture(scope="module")
def taught_config(tiny_config: TrainConfig) -> TrainConfig:
    return replace(
        tiny_config,
        method="none",
        geometry="tiles",
        image_size=(24, 24),
        label_share=0.3,
        self_train=True,
        epochs=2,
        student_epochs=4,
        lr=3e-3,
    )


@pytest.fixture(scope="module")
def taught(taught_config, tmp_path_factory) -> tuple[Path, RunResult]:
    run = tmp_path_factory.mktemp("taught") / "run"
    return run, train_run(taught_config, run, report=silent)


def test_teacher_student_and_the_network_before_stand_side_by_side(taught):
    run, result = taught
    facts = facts_of(result)
    assert not facts.refused
    assert facts.teacher == facts.candidates[0].name
    accuracies = [candidate.accuracy for candidate in facts.candidates]
    assert accuracies == sorted(accuracies, reverse=True)
    assert facts.unlabelled == result.counts["pretraining"] - result.counts["train"]
    assert facts.shipped == "student", "the validation part is too small to say otherwise"
    assert result.accuracy == facts.student
    assert result.tiling is not None
    assert result.tiling.tiles_per_image > 1
    stages = [
        json.loads(line)["stage"] for line in (run / "metrics.jsonl").read_text().splitlines()
    ]
    assert stages == ["finetune"] * 2 + ["distill"] * 4
    assert set(result.stages) >= {"finetune", "distill"}


def test_labels_come_from_the_teacher_for_images_without_one(taught):
    run, result = taught
    teaching = read_teaching(run)
    assert teaching is not None
    assert teaching.labels.shape == (facts_of(result).unlabelled, 3)
    assert len(teaching.test) == result.counts["test"]
    np.testing.assert_allclose(teaching.labels.sum(axis=1), 1, rtol=1e-4)


def test_a_killed_run_resumes_to_the_same_numbers(taught, taught_config, tmp_path):
    """One run, killed in each of its stages: each time it goes on from the kill before."""
    run = tmp_path / "killed"
    for killed_in in ("fine-tuning", "teacher", "self-training"):
        seen = 0

        def kill(stage: str, *_: object, killed_in: str = killed_in) -> None:
            nonlocal seen
            seen += stage == killed_in
            if seen == 12:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train_run(taught_config, run, report=kill)
    resumed = train_run(taught_config, run, report=silent)
    whole, result = taught
    assert resumed.self_training == result.self_training
    for name in ("predictions.csv", "encoder.safetensors", "classifier.safetensors"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()


def test_a_weak_teacher_teaches_nobody(taught_config, tmp_path, monkeypatch):
    monkeypatch.setattr("edgecl.learning.loop.stages.distillation.WEAKEST", 1.01)
    result = train_run(replace(taught_config, epochs=1), tmp_path / "run", report=silent)
    facts = facts_of(result)
    assert "its mistakes would be learnt" in facts.refused
    assert facts.student is None
    assert facts.shipped == "fine-tuned"
    assert facts.before == result.accuracy
    assert facts.teacher_accuracy is not None


def test_without_unlabelled_images_nobody_is_taught(taught_config, tmp_path):
    config = replace(taught_config, label_share=1.0, epochs=1)
    result = train_run(config, tmp_path / "run", report=silent)
    assert facts_of(result).refused == "there are no unlabelled images"


def test_a_damaged_teacher_is_named(taught, taught_config, tmp_path):
    (tmp_path / TEACHER).write_bytes(b"no tensors")
    with pytest.raises(InputError, match=r"teacher\.safetensors is damaged"):
        read_teaching(tmp_path)


def test_pretraining_offers_its_features_to_the_teacher(taught_config, tmp_path):
    config = replace(
        taught_config, method="simclr", head="wide", pretrain_epochs=1, epochs=1, student_epochs=1
    )
    result = train_run(config, tmp_path / "run", report=silent)
    kinds = {candidate.name for candidate in facts_of(result).candidates}
    assert len(kinds) == 3 * len(choice.MODELS) + 1 + (choice.NETWORK in kinds)
    assert result.probe is not None
    config = run_directory.read_config(tmp_path / "run").choices
    assert config.head == "wide"
