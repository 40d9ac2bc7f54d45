"""From images in tiles to verdicts: train, export, inspect and run, by their commands."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run as edgecl
from edgecl.exporting.job import ExportChoices, job_of_run
from edgecl.learning.config import TrainConfig
from edgecl.learning.run.run_directory import read_result
from edgecl.learning.runner import train_run
from runtime.artifact.bundle import load_bundle
from runtime.artifact.tiling import Tiling
from tests.made_once import MadeOnce, spared_exports

pytestmark = pytest.mark.usefixtures("graphs_made_once")


@pytest.fixture(scope="module")
def run_of_tiles(tiny_config: TrainConfig, made_once: MadeOnce) -> Path:
    config = replace(
        tiny_config, geometry="tiles", stride=(16, 16), pretrain_epochs=0, method="none", epochs=3
    )
    return made_once("runs/tiles", lambda run: train_run(config, run, report=lambda *_: None))


@pytest.fixture(scope="module")
def bundle(run_of_tiles: Path, made_once: MadeOnce) -> Path:
    def export(out: Path) -> None:
        options = ["--int8", "--calibration", "minmax", "--pass-label", "bars"]
        options += ["--max-drop", "100", "--max-escapes", "100"]
        with spared_exports(made_once):
            assert edgecl(["export", str(run_of_tiles), "--out", str(out), *options]) == 0

    return made_once("bundles/tiles.edgecl", export)


def test_a_bundle_of_a_run_in_tiles_cuts_as_training_did(bundle, run_of_tiles):
    facts = read_result(run_of_tiles).tiling
    assert facts is not None
    loaded = load_bundle(bundle)
    assert loaded.contract.input.tiling == Tiling((32, 32), (16, 16), 1.0, facts.combine)
    assert loaded.manifest.gate.validation_images == 18
    assert loaded.precisions["fp32"].test_accuracy == pytest.approx(
        read_result(run_of_tiles).accuracy
    )


def test_the_parts_of_a_job_hold_tiles_and_one_each_to_calibrate(run_of_tiles):
    job = job_of_run(run_of_tiles, ExportChoices(), lambda *_: None)
    assert job.validation.tile_counts.tolist() == [4] * len(job.validation)  # 40x40 pixels
    assert len(job.validation.images) == 4 * len(job.validation)
    assert job.candidates.counts is None
    assert job.candidates.images.shape == (len(job.candidates), 32, 32)


def test_calibration_data_of_ones_own_is_cut_too(run_of_tiles, tmp_path):
    rng = np.random.default_rng(5)
    for number in range(3):
        image = rng.integers(0, 256, (70, 50)).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
    choices = ExportChoices(calibration_data=tmp_path)
    job = job_of_run(run_of_tiles, choices, lambda *_: None)
    assert job.candidates.images.shape == (3, 32, 32)
    assert job.candidates.targets.tolist() == [-1] * 3


def test_a_run_says_where_the_worst_tile_is(bundle, class_folders, tmp_path, capfd):
    out = tmp_path / "stream"
    model = ["run", "--model", str(bundle), "--camera", str(class_folders / "blob")]
    assert edgecl([*model, "--out", str(out), "--frames", "3"]) == 0
    assert "tiles 32x32" in capfd.readouterr().err
    for text in (out / "verdicts.jsonl").read_text().splitlines():
        worst = json.loads(text)["worst_tile"]
        assert (worst["width"], worst["height"]) == (32, 32)
        assert worst["left"] in (0, 8)


def test_inspect_says_how_frames_are_cut(bundle, capfd):
    assert edgecl(["inspect", str(bundle)]) == 0
    combine = load_bundle(bundle).manifest.contract.input.tiling
    assert combine is not None
    expected = f"tiles 32x32, stride 16x16, scale 1, combine {combine.combine}"
    assert expected in capfd.readouterr().out
    assert edgecl(["inspect", str(bundle), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["input"]["tiling"]["stride"] == [16, 16]
