"""Balanced classes: when, which rows an epoch shows, what is said of it, and what a run records."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from edgecl.learning.compute.placement import Compute
from edgecl.learning.config import TrainConfig
from edgecl.learning.contrastive.augmentation import chosen_augmentation
from edgecl.learning.loop.epochs import finetune_epoch
from edgecl.learning.loop.stages import finetuning
from edgecl.learning.model import Backbone, Classifier
from edgecl.learning.optimisation.balance import balance_notes, balance_of, balanced_rows
from edgecl.learning.runner import train_run
from tests.edgecl.conftest import fill

LABELS = ("ok", "burr", "dent")


def silent(*_: object) -> None:
    pass


@pytest.mark.parametrize(
    ("choice", "sizes", "expected"),
    [
        ("auto", (30, 10, 10), False),
        ("auto", (31, 10, 10), True),
        ("off", (300, 10, 10), False),
        ("on", (10, 10, 10), True),
    ],
)
def test_auto_balances_beyond_three_to_one(choice, sizes, expected):
    facts = balance_of(choice, np.repeat(np.arange(3), sizes), LABELS)
    assert facts.balanced is expected
    assert facts.ratio == pytest.approx(sizes[0] / 10)
    assert facts.images == dict(zip(LABELS, sizes, strict=True))


@pytest.mark.parametrize("size", [112, 113, 30, 2, 500])
def test_an_epoch_shows_every_class_equally_often(size):
    targets = np.repeat(np.arange(3), (100, 2, 10))
    rows = balanced_rows(targets, size, np.random.default_rng(0))
    assert len(rows) == size
    shown = np.bincount(targets[rows], minlength=3)
    assert shown.max() - shown.min() <= 1
    for number in range(3):
        times = np.bincount(rows, minlength=112)[targets == number]
        assert times.max() - times.min() <= 1  # none again before all others of its class


def test_the_next_epoch_shows_other_rows_of_a_large_class():
    targets = np.repeat(np.arange(2), (100, 5))
    first, second, again = (
        set(balanced_rows(targets, 105, np.random.default_rng(seed)).tolist()) for seed in (0, 1, 0)
    )
    assert first == again
    assert len(second - first) > 10


def test_notes_name_tiny_classes_and_what_was_done():
    targets = np.repeat(np.arange(3), (100, 1, 2))
    few, balanced = balance_notes(balance_of("auto", targets, LABELS), True)
    assert "burr (1), dent (2)" in few
    assert "ok" not in few
    assert "100.0 times" in balanced
    assert "equally often" in balanced
    assert "is off" in balance_notes(balance_of("off", targets, LABELS), True)[1]
    assert balance_notes(balance_of("auto", targets, LABELS), False) == [few]
    assert balance_notes(balance_of("auto", np.repeat(np.arange(3), 9), LABELS), True) == []


def test_an_epoch_learns_only_from_the_rows_that_it_shows(monkeypatch):
    config = TrainConfig(image_size=(32, 32))
    classifier = Classifier(Backbone("shufflenet", (32, 32), 1), 2).train()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (20, 32, 32)).astype(np.uint8)
    # A row that is not shown has a target that would make the loss fail.
    targets = np.where(np.arange(20) < 8, np.arange(20) % 2, 99)
    shown = np.repeat(np.arange(8), 3)
    steps = 0

    def on_step() -> None:
        nonlocal steps
        steps += 1

    result = finetune_epoch(
        classifier,
        torch.optim.Adam(classifier.parameters()),
        images,
        targets,
        recipe=chosen_augmentation(config).classification,
        batch_size=8,
        rng=rng,
        compute=Compute(torch.device("cpu"), "off"),
        on_step=on_step,
        shown=shown,
    )
    assert steps == 3
    assert np.isfinite(result.loss)


@pytest.fixture(scope="module")
def uneven_folder(tmp_path_factory):
    folder = fill(tmp_path_factory.mktemp("uneven"), ("bars",), 60)
    fill(folder, ("blob",), 9, seed=1)
    return fill(folder, ("posts",), 3, seed=2)


@pytest.mark.parametrize(("choice", "balanced"), [("auto", True), ("off", False)])
def test_a_run_balances_fine_tuning_and_records_it(
    tiny_config, uneven_folder, tmp_path, monkeypatch, choice, balanced
):
    seen: list[np.ndarray] = []
    real = finetune_epoch

    def watched(classifier, optimizer, images, targets, *, shown=None, **rest):
        seen.append(targets if shown is None else targets[shown])
        return real(classifier, optimizer, images, targets, shown=shown, **rest)

    monkeypatch.setattr(finetuning, "finetune_epoch", watched)
    config = replace(tiny_config, data=str(uneven_folder), method="none", epochs=1, balance=choice)
    result = train_run(config, tmp_path / "run", report=silent)
    assert result.balance is not None
    assert result.balance.balanced is balanced
    assert result.balance.images["posts"] == 1
    shown = np.bincount(seen[0], minlength=3)
    assert (int(shown.max() - shown.min()) <= 1) is balanced
    assert any("posts (1)" in note for note in result.notes)
    assert any(("equally often" if balanced else "is off") in note for note in result.notes)
