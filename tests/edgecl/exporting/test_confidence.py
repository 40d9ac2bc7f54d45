"""Confidences become shares of right answers, and answers stay."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax

from edgecl.cli.shell import run
from edgecl.exporting.confidence import (
    describe,
    fit_temperature,
    probabilities,
    with_temperature,
)
from edgecl.learning.loop.answers import TileAnswers
from edgecl.learning.model import Backbone, Classifier
from export.gate.answers import image_probabilities
from runtime.artifact.bundle import load_bundle
from runtime.artifact.contract import InputContract, ModelContract
from runtime.artifact.tiling import Tiling
from runtime.session.base import Outputs
from runtime.session.tiles import image_answer


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


def test_no_temperature_changes_the_label_of_an_image():
    # By the mean of its tiles, one sure tile carries an image; colder tiles would outvote it.
    carried = np.array([[8, 0], [0, 0.9], [0, 0.9]], np.float32)
    one = TileAnswers(carried, carried, np.array([3]))
    assert softmax(carried / 0.1, axis=1).mean(axis=0).argmax() == 1
    for temperature in (0.1, 1.0, 10.0):
        assert probabilities(one, temperature, "mean", ()).argmax() == 0


def test_the_line_sharpens_what_the_tiles_say_together():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (6, 3)).astype(np.float32)
    answers = TileAnswers(logits, logits, np.array([2, 4]))
    expected = probabilities(answers, 0.4, "mean", ())
    contract = ModelContract(
        InputContract(32, 32, tiling=Tiling((32, 32), sharpness=2.5)), ("a", "b", "c")
    )
    assert ModelContract.from_json(contract.to_json(), where="here") == contract
    tiles = softmax(logits, axis=1)
    ours = image_probabilities(tiles, answers.counts, contract)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)
    lines = image_answer(Outputs(tiles[2:], logits[2:]), contract)
    np.testing.assert_allclose(lines.probabilities, expected[1], rtol=1e-5)


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
