"""Where the training images lie, and exports that know it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgecl.cli.shell import run
from edgecl.exporting.novelty import fit_space
from runtime.artifact.bundle import load_bundle
from runtime.novelty import NOVELTY, novelty_beside


def clouds(count: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two classes, four times as wide in one direction as in the other."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 2, count)
    spread = rng.normal(0, (4, 1), (count, 2))
    return (spread + np.stack([20 * targets, 5 * targets], axis=1)).astype(np.float32), targets


def test_distances_are_in_standard_deviations_of_each_direction():
    space = fit_space(*clouds())
    asked = np.array([[0, 0], [20, 5], [4, 0], [0, 2], [20, 7], [-12, 0]], np.float32)
    nearest = replace(space, overall=0 * space.overall).distances(asked)
    np.testing.assert_allclose(nearest, [0, 0, 1, 2, 2, 3], rtol=0.1, atol=0.15)


def test_between_the_classes_an_image_is_far_relative_to_all_of_them():
    embeddings, targets = clouds()
    space = fit_space(embeddings, targets)
    between, beyond = space.distances(np.array([[10, 2.5], [-12, 0]], np.float32))
    known = np.quantile(space.distances(embeddings), [0.5, 0.99])
    assert known[0] < beyond < between
    assert between > known[1]


def test_directions_without_variance_are_no_trouble():
    embeddings, targets = clouds(200)
    flat = np.concatenate((embeddings, np.zeros((200, 3), np.float32)), axis=1)
    distances = fit_space(flat, targets).distances(flat)
    assert np.isfinite(distances).all()
    same = fit_space(np.ones((20, 4), np.float32), np.arange(20) % 2)
    assert np.isfinite(same.distances(np.ones((1, 4), np.float32))).all()


def test_fewer_images_than_dimensions_still_make_a_space():
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(30, 128)).astype(np.float32)
    embeddings[:, 0] += 20 * (np.arange(30) % 3)
    space = fit_space(embeddings, np.arange(30) % 3)
    asked = rng.normal(size=(50, 128)).astype(np.float32)
    between = asked.copy()
    between[:, 0] += 10
    assert space.distances(between).min() > np.median(space.distances(asked))


@pytest.fixture
def few_suffice(monkeypatch):
    monkeypatch.setattr("export.novelty.FEWEST", 5)


def test_too_few_validation_images_are_a_note(exported):
    assert exported.printed["novelty"] is None
    assert "note: no frame will be unknown: 18 validation images are too few" in exported.told
    assert novelty_beside(load_bundle(exported.bundle)) is None


@pytest.mark.usefixtures("few_suffice", "graphs_made_once")
def test_an_export_knows_its_training_images(trained_run, tmp_path, capsys):
    bundle = tmp_path / "line.edgecl"
    options = ["--int8", "--calibration", "minmax", "--max-drop", "100", "--max-escapes", "100"]
    assert run(["export", str(trained_run), "--out", str(bundle), *options]) == 0
    loaded = load_bundle(bundle)
    record = loaded.manifest.novelty
    assert record is not None
    assert NOVELTY in loaded.manifest.files
    assert set(record.forms) >= {"fp32", "int8", "int8-tensorrt"}
    assert record.images == loaded.manifest.gate.validation_images == 18
    assert record.rate == pytest.approx(1 / 19)
    assert f"novelty: {record.describe()}" in capsys.readouterr().err
    assert "unknown images" in (bundle / "report.html").read_text()
    novelty = novelty_beside(loaded)
    assert novelty is not None
    assert set(novelty.limits) == set(record.forms)
    for name, limit in novelty.limits.items():
        assert limit == novelty.distances[name][-1]  # of 18, the largest
    assert run(["inspect", str(bundle)]) == 0
    assert "novelty: unknown above" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.usefixtures("few_suffice", "graphs_made_once")
def test_none_is_wanted(trained_run, tmp_path, capsys):
    bundle = tmp_path / "line.edgecl"
    assert run(["export", str(trained_run), "--out", str(bundle), "--false-alarms", "0"]) == 0
    assert load_bundle(bundle).manifest.novelty is None
    assert NOVELTY not in load_bundle(bundle).manifest.files
    assert "novelty" not in capsys.readouterr().err


@pytest.mark.parametrize("value", ["-1", "51", "nan", "x"])
def test_mistakes(trained_run, capsys, value):
    assert run(["export", str(trained_run), "--false-alarms", value]) == 2
    assert "--false-alarms" in capsys.readouterr().err
