"""The geometry is chosen out of fold, kept for a resumed run and a reused pretraining, and told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from edgecl.learning.compute.ranks import ALONE
from edgecl.learning.config import TrainConfig
from edgecl.learning.loop.stages import geometry
from edgecl.learning.run.run_directory import read_config
from edgecl.learning.run.sources import ImageSource
from edgecl.learning.runner import pretrain_run, train_run
from edgecl.learning.teachers import choice

SIZE = (112, 144)


def silent(*_: object) -> None:
    pass


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write two classes of thirty images that a tile fits into."""
    folder = tmp_path_factory.mktemp("geometry")
    rng = np.random.default_rng(0)
    for label in ("clean", "scratched"):
        (folder / label).mkdir()
        for number in range(30):
            image = rng.integers(90, 150, SIZE, np.uint8)
            if label == "scratched":
                image[20 + number : 24 + number, 10:60] = 255
            cv2.imwrite(str(folder / label / f"{number}.png"), image)
    return folder


@pytest.fixture
def open_config(images: Path, tiny_config: TrainConfig) -> TrainConfig:
    # Ten steps make an epoch, however small they are.
    few = replace(tiny_config, data=str(images), batch_size=4)
    return replace(few, geometry="auto", method="none", epochs=1)


def answering(monkeypatch, tiles: float, whole: float) -> list[TrainConfig]:
    """Let the comparison find these accuracies; return what it was asked with."""
    asked = []

    def answer(setup, folds, *, stage, what):
        asked.append(setup.config)
        rows = len(setup.monitor.targets)
        assert all(set(known).isdisjoint(out) and out.max() < rows for known, out in folds)
        return tiles if setup.config.geometry == "tiles" else whole

    monkeypatch.setattr(geometry, "network_accuracy", answer)
    return asked


@pytest.mark.parametrize(
    ("tiles", "whole", "chosen", "size"),
    [
        (0.9, 0.5, "tiles", (96, 96)),
        (0.5, 0.9, "stretch", (112, 144)),
        (0.5, 0.5, "tiles", (96, 96)),
    ],
)
def test_what_answers_better_is_chosen(
    open_config, tmp_path, monkeypatch, tiles, whole, chosen, size
):
    asked = answering(monkeypatch, tiles, whole)
    config, compared = geometry.settle_geometry(
        open_config, tmp_path / "run", torch.device("cpu"), silent, ImageSource(), ALONE
    )
    assert (config.geometry, config.image_size) == (chosen, size)
    assert compared is not None
    assert [one.accuracy for one in compared.candidates] == [tiles, whole]
    assert [one.method for one in asked] == ["none", "none"]
    note = geometry.geometry_note(compared)
    assert compared.chosen in note
    assert f"{tiles:.1%}" in note


def test_a_resumed_run_keeps_its_geometry(open_config, tmp_path, monkeypatch):
    asked = answering(monkeypatch, 0.1, 0.9)

    def kill(stage: str, done: int, *_: object) -> None:
        if stage == "fine-tuning" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_run(open_config, tmp_path / "run", report=kill)
    result = train_run(open_config, tmp_path / "run", report=silent)
    assert len(asked) == 2, "it was compared once"
    kept = read_config(tmp_path / "run")
    assert (kept.choices.geometry, kept.choices.image_size) == ("stretch", SIZE)
    assert kept.geometry is not None
    assert [one.accuracy for one in kept.geometry.candidates] == [0.1, 0.9]
    (note,) = (note for note in result.notes if note.startswith("geometry: "))
    assert note == geometry.geometry_note(kept.geometry)
    assert note.startswith("geometry: whole")


def test_a_reused_pretraining_gives_its_geometry(open_config, tmp_path, monkeypatch):
    answering(monkeypatch, 0.1, 0.9)
    simclr = replace(open_config, method="simclr", pretrain_epochs=1)
    pretrain_run(replace(simclr, pretrain_only=True), tmp_path / "before", report=silent)
    asked = answering(monkeypatch, 0.9, 0.1)
    reusing = replace(simclr, pretrained=str(tmp_path / "before"))
    train_run(reusing, tmp_path / "run", report=silent)
    assert not asked
    assert read_config(tmp_path / "run").choices.geometry == "stretch"


def test_few_labels_and_an_encoder_that_is_never_trained_are_not_compared(
    open_config, tmp_path, monkeypatch
):
    asked = answering(monkeypatch, 0.1, 0.9)
    monkeypatch.setattr(geometry, "grouped_folds", lambda *_: [])
    train_run(open_config, tmp_path / "run", report=silent)
    kept = read_config(tmp_path / "run")
    assert not asked
    assert kept.choices.geometry == "tiles"
    assert kept.geometry is not None
    assert kept.geometry.candidates == ()


def test_networks_are_really_compared(open_config, tmp_path, monkeypatch):
    monkeypatch.setattr(choice, "FOLDS", 2)
    told = []

    def listen(stage: str, done: int, total: int, text: str) -> None:
        told.append((stage, text))

    train_run(open_config, tmp_path / "run", report=listen)
    lines = [text for stage, text in told if stage == "geometry" and "right" in text]
    assert len(lines) == 2
    config = read_config(tmp_path / "run")
    kept = config.geometry
    assert kept is not None
    assert config.choices.geometry == ("tiles" if "tiles" in kept.chosen else "stretch")
    assert all(0 <= one.accuracy <= 1 for one in kept.candidates)
    assert kept.measured_on.startswith("42 labelled images")
