"""Confidences become shares of right answers, and answers stay."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgecl.cli.shell import run
from edgecl.exporting.confidence import (
    describe,
    fit_temperature,
    probabilities,
    with_temperature,
)
from edgecl.learning.loop.answers import TileAnswers
from edgecl.learning.model import Backbone, Classifier
from runtime.artifact.bundle import load_bundle


def sampled(scale: float, *, tiles: int = 1, count: int = 4000) -> tuple[TileAnswers, np.ndarray]:
    """Logits `scale` times as large as those that the images' labels follow."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (count, 3))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    targets = (shares.cumsum(1) > rng.random((count, 1))).argmax(1)
    rows = np.repeat(scale * logits, tiles, axis=0).astype(np.float32)
    return TileAnswers(rows, rows, np.full(count, tiles)), targets


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("tiles", [1, 4])
def test_the_temperature_undoes_a_scale_of_the_logits(scale, tiles):
    answers, targets = sampled(scale, tiles=tiles)
    assert fit_temperature(answers, targets, "mean", ()) == pytest.approx(scale, rel=0.1)


def test_the_error_falls_on_other_images_too():
    answers, targets = sampled(4.0)
    halves = [
        (
            TileAnswers(answers.logits[rows], answers.embeddings[rows], answers.counts[rows]),
            targets[rows],
        )
        for rows in (slice(None, 2000), slice(2000, None))
    ]
    temperature = fit_temperature(*halves[0], "mean", ())
    facts = describe(temperature, halves[0], halves[1], "mean", ())
    assert facts.error_after < facts.error_before / 3
    assert facts.test_error_after < facts.test_error_before / 3
    assert facts.images == 2000
    assert f"temperature {temperature:.2f}" in facts.describe()


def test_a_temperature_goes_only_as_far_as_every_image_keeps_its_label():
    # By the mean of its tiles, one sure tile carries an image until the others are as sure.
    carried = np.array([[8, 0], [0, 0.9], [0, 0.9]], np.float32)
    one = TileAnswers(carried, carried, np.array([3]))
    assert probabilities(one, 1.0, "mean", ()).argmax() == 0
    assert probabilities(one, 0.1, "mean", ()).argmax() == 1
    # Many that are right at any temperature want a low one.
    easy = np.tile(np.array([[1, 0]], np.float32), (600, 1))
    logits = np.concatenate((easy, carried))
    answers = TileAnswers(logits, logits, np.full(201, 3))
    targets = np.zeros(201, np.int64)
    reached = fit_temperature(answers, targets, "mean", ())
    assert 0.1 < reached < 1
    assert probabilities(one, reached, "mean", ()).argmax() == 0
    # Nor where the other label would be the right one: the exported network is the tested one.
    targets[-1] = 1
    assert fit_temperature(answers, targets, "mean", ()) == pytest.approx(reached, rel=0.2)
    fewer = TileAnswers(easy, easy, np.full(200, 3))
    assert fit_temperature(fewer, targets[:200], "mean", ()) < 0.2


def test_the_last_layer_carries_it():
    torch.manual_seed(0)
    classifier = Classifier(Backbone("shufflenet", (32, 32), 1), 3).eval()
    images = torch.randint(0, 256, (4, 1, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        before, after = classifier(images)[0], with_temperature(classifier, 2.0)(images)[0]
        torch.testing.assert_close(after, before / 2)
        torch.testing.assert_close(classifier(images)[0], before)


def test_few_validation_images_leave_confidences_as_they_are(exported):
    assert exported.printed["confidence"] is None
    assert "confidences are as trained" in exported.told
    assert load_bundle(exported.bundle).manifest.confidence is None


@pytest.mark.usefixtures("graphs_made_once")
def test_a_run_is_exported_with_its_temperature(trained_run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("edgecl.exporting.job.FEWEST", 1)
    bundle = tmp_path / "line.edgecl"
    assert run(["export", str(trained_run), "--out", str(bundle)]) == 0
    facts = load_bundle(bundle).manifest.confidence
    assert facts is not None
    assert f"confidence: {facts.describe()}" in capsys.readouterr().err
    assert facts.describe() in (bundle / "report.html").read_text()
    assert run(["inspect", str(bundle)]) == 0
    assert f"temperature {facts.temperature:.2f}" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.usefixtures("graphs_made_once")
def test_confidences_are_kept_where_that_was_asked_for(trained_run, tmp_path, monkeypatch):
    monkeypatch.setattr("edgecl.exporting.job.FEWEST", 1)
    kept = tmp_path / "kept.edgecl"
    assert run(["export", str(trained_run), "--out", str(kept), "--keep-confidence"]) == 0
    assert load_bundle(kept).manifest.confidence is None
