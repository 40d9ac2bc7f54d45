"""Pretraining that learnt nothing is told from one that did, and said."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from edgecl.learning.config import TrainConfig
from edgecl.learning.contrastive.collapse import chance_loss, learnt_nothing
from edgecl.learning.contrastive.losses import nt_xent, nt_xent_across_views
from edgecl.learning.documents import EpochMeasures
from edgecl.learning.run.pretrained import pretraining_facts
from edgecl.learning.runner import pretrain_run, train_run

BATCH = 8


@pytest.mark.parametrize(
    ("choices", "loss"),
    [
        ({"method": "simclr"}, nt_xent),
        ({"method": "simclr", "negatives": "cross-view"}, nt_xent_across_views),
    ],
)
def test_chance_is_the_loss_of_an_encoder_to_which_all_looks_alike(choices, loss):
    config = TrainConfig(batch_size=BATCH, **choices)
    alike = torch.ones(BATCH, 4)
    assert chance_loss(config) == pytest.approx(float(loss(alike, alike, 0.1)))


def test_nnclr_has_its_chance_among_the_images_of_a_batch():
    assert chance_loss(TrainConfig(method="nnclr", batch_size=32)) == pytest.approx(math.log(32))


@pytest.mark.parametrize(("share", "nothing"), [(1.001, True), (0.995, True), (0.95, False)])
def test_a_loss_at_chance_is_no_learning(share, nothing):
    config = TrainConfig(batch_size=BATCH)
    line = EpochMeasures(stage="pretrain", epoch=3, loss=share * chance_loss(config), seconds=1.0)
    assert learnt_nothing(config, line.pretraining_loss) is nothing
    notes = pretraining_facts(config, [line], images=10).notes
    assert [("learnt nothing" in note and "--pretrain-lr" in note) for note in notes] == (
        [True] if nothing else []
    )


@pytest.mark.parametrize(
    "taken_over",
    [pytest.param(False, id="own"), pytest.param(True, id="another run's", marks=pytest.mark.slow)],
)
def test_a_run_on_such_a_pretraining_says_so(taken_over, tiny_config, tmp_path, monkeypatch):
    """With the threshold moved below any loss, whatever it learns is too little."""
    monkeypatch.setattr("edgecl.learning.contrastive.collapse.AT_CHANCE", 0.0)
    config = replace(tiny_config, pretrain_epochs=1, epochs=1)
    if taken_over:
        before = tmp_path / "before"
        pretrain_run(replace(config, pretrain_only=True), before, report=lambda *_: None)
        # What chance is was settled there: this run's own batches say nothing of it.
        monkeypatch.setattr("edgecl.learning.contrastive.collapse.AT_CHANCE", 100.0)
        config = replace(config, pretrained=str(before), batch_size=8)
    result = train_run(config, tmp_path / "run", report=lambda *_: None)
    assert any(note.startswith("pretraining learnt nothing") for note in result.notes)


def test_other_views_than_those_of_the_pretraining_are_told(tiny_config, tmp_path):
    config = replace(tiny_config, pretrain_epochs=1, epochs=1, views="crop")
    before = tmp_path / "before"
    facts = pretrain_run(replace(config, pretrain_only=True), before, report=lambda *_: None)
    assert facts.views == "crop"
    for views, told in (("crop", False), ("auto", True)):
        config = replace(config, pretrained=str(before), views=views)
        result = train_run(config, tmp_path / views, report=lambda *_: None)
        assert ("pretraining used crop views, fine-tuning zoom views" in result.notes) is told
        assert result.views == ("zoom" if told else "crop")
