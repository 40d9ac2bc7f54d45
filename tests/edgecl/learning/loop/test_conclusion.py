"""What a finished run keeps for its page, and that names of any bytes do not stop it."""

from __future__ import annotations

import csv
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from edgecl.data.camera_shifts import SHIFTS
from edgecl.learning.loop.answers import embed, predict, predict_and_embed
from edgecl.learning.loop.examinations import labels
from edgecl.learning.run import run_directory
from edgecl.learning.run.preparation import prepare
from edgecl.learning.runner import train_run
from edgecl.reporting.pages.training import training_page


def silent(*_: object) -> None:
    pass


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as stream:
        return list(csv.DictReader(stream))


def test_one_pass_gives_what_two_gave(trained_run, tiny_config):
    classifier, _ = run_directory.load_classifier(trained_run)
    images = prepare(tiny_config, silent).dataset.images[:50]
    device = torch.device("cpu")
    logits, embeddings = predict_and_embed(classifier, images, device)
    np.testing.assert_array_equal(logits, predict(classifier, images, device))
    np.testing.assert_array_equal(embeddings, embed(classifier.backbone, images, device))


@pytest.fixture(scope="module")
def poor_run(tiny_config, made_once):
    """A run that hardly learned anything, so that it has mistakes to show."""
    config = replace(tiny_config, method="none", epochs=1, lr=1e-5)
    return made_once("runs/poor", lambda run: train_run(config, run, report=silent))


def test_the_kept_mistakes_are_the_most_confident_and_their_images_are_the_models(
    poor_run, tiny_config
):
    dataset = prepare(tiny_config, silent).dataset
    predictions = rows_of(poor_run / "predictions.csv")
    wrong = {row["file"]: row for row in predictions if row["truth"] != row["predicted"]}
    kept = rows_of(poor_run / "mistakes" / "mistakes.csv")
    confidences = sorted((row["confidence"] for row in wrong.values()), reverse=True)
    assert [mistake["confidence"] for mistake in kept] == confidences[:12]
    assert kept
    for rank, mistake in enumerate(kept, start=1):
        row = wrong[mistake["file"]]
        for name in ("truth", "predicted", "confidence"):
            assert mistake[name] == row[name]
        assert mistake["truth_probability"] == row[f"p_{row['truth']}"]
        image = cv2.imread(str(poor_run / "mistakes" / f"{rank:02d}.png"), cv2.IMREAD_UNCHANGED)
        seen = dataset.images[dataset.files.index(row["file"])]
        np.testing.assert_array_equal(image, seen)


def test_every_tested_image_has_a_place(poor_run):
    places = rows_of(poor_run / "embedding.csv")
    predictions = rows_of(poor_run / "predictions.csv")
    for name in ("file", "truth", "predicted"):
        assert [row[name] for row in places] == [row[name] for row in predictions]
    result = run_directory.read_result(poor_run)
    assert result.embedding is not None
    assert result.embedding.of == len(places) == result.counts["test"]
    assert len({(row["x"], row["y"]) for row in places}) > len(places) // 2


def test_the_result_has_the_calibration_of_its_predictions(poor_run):
    result = run_directory.read_result(poor_run)
    predictions = rows_of(poor_run / "predictions.csv")
    assert sum(entry.count for entry in result.reliability) == len(predictions)
    right = sum(row["truth"] == row["predicted"] for row in predictions)
    assert sum(entry.right for entry in result.reliability) == right
    likelihood = [max(float(row[f"p_{row['truth']}"]), 1e-6) for row in predictions]
    assert result.nll == pytest.approx(-np.mean(np.log(likelihood)), abs=1e-3)


def test_the_result_says_what_drift_of_the_camera_costs(trained_run):
    result = run_directory.read_result(trained_run)
    report = result.shifts
    assert report is not None
    assert report.images == report.of == result.counts["test"]
    assert report.accuracy == pytest.approx(result.accuracy)
    assert [shift.name for shift in report.shifts] == [shift.name for shift in SHIFTS]
    assert any(shift.accuracy != report.accuracy for shift in report.shifts)


def test_images_in_a_wrong_folder_are_suspected(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr(labels, "FEWEST_EXAMINED", 60)
    rng, data = np.random.default_rng(0), tmp_path / "data"
    for kind, sigma in (("coarse", 2.0), ("fine", 0.6)):
        (data / kind).mkdir(parents=True)
        for number in range(60):
            image = cv2.GaussianBlur(rng.normal(0, 1, (40, 40)), (0, 0), sigma)
            pixels = (120 + 30 * image / image.std()).clip(0, 255).astype(np.uint8)
            cv2.imwrite(str(data / kind / f"{kind}_{number}.png"), pixels)
    moved = {f"fine/moved_{number}.png" for number in (5, 17, 31, 44)}
    for name in moved:
        (data / name.replace("fine/moved", "coarse/coarse")).rename(data / name)
    config = replace(tiny_config, data=str(data), method="none", epochs=1)
    result = train_run(config, tmp_path / "run", report=silent)
    kept = rows_of(tmp_path / "run" / "suspects" / "suspects.csv")
    tested = {row["file"] for row in rows_of(tmp_path / "run" / "predictions.csv")}
    assert result.suspects is not None
    assert result.suspects.examined == result.counts["train"]  # too few to validate
    assert len(kept) == result.suspects.listed <= result.suspects.found
    assert {row["file"] for row in kept} <= moved - tested
    assert kept
    assert {(row["given"], row["suggested"]) for row in kept} == {("fine", "coarse")}


def test_few_labels_accuse_nobody(trained_run):
    result = run_directory.read_result(trained_run)
    assert result.suspects is None
    assert not (trained_run / "suspects").exists()


def test_names_that_are_no_utf8_are_trained_tested_and_shown(
    class_folders, tiny_config, tmp_path, check_page
):
    data = tmp_path / "data"
    for number, path in enumerate(sorted(class_folders.rglob("*.png"))):
        folder = data / os.fsdecode(b"kind\xff_" + os.fsencode(path.parent.name))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / os.fsdecode(b'<b>\xfe"\x0b,\n%d.png' % number)).write_bytes(path.read_bytes())
        except OSError:
            pytest.skip("this file system takes no such names")
    config = replace(tiny_config, data=str(data), method="none", epochs=1, lr=1e-5)
    run = tmp_path / "run"
    train_run(config, run, report=silent)
    kept = rows_of(run / "mistakes" / "mistakes.csv")
    assert (data / kept[0]["file"]).exists()
    page = check_page(training_page(run))
    assert "kind\N{REPLACEMENT CHARACTER}_" in page.text
    assert page.tags.count("img") == len(kept) > 0
