"""`edgecl export --heat-maps`: a graph beside the others, which stay what they were."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from edgecl.cli.shell import run as edgecl
from edgecl.exporting.job import ExportChoices, job_of_run
from edgecl.learning.config import TrainConfig
from edgecl.learning.runner import train_run
from export.pipeline import export_bundle
from export.stages.heat_maps.examples import MOST
from export.stages.heat_maps.graph import build_heat_maps
from export.stages.proving import reference_of
from runtime.artifact.bundle import load_bundle
from runtime.artifact.heat_maps import HEAT_MAPS_FILE, Cells
from runtime.errors import GateError
from runtime.session.activation import open_activation
from tests.made_once import MadeOnce, spared_exports

pytestmark = pytest.mark.usefixtures("graphs_made_once")

OPTIONS = ("--max-drop", "100", "--max-escapes", "100", "--pass-label", "bars")


@pytest.fixture(scope="module")
def bundle(trained_run: Path, made_once: MadeOnce) -> Path:
    def export(out: Path) -> None:
        with spared_exports(made_once):
            command = ["export", str(trained_run), "--out", str(out), "--heat-maps", *OPTIONS]
            assert edgecl(command) == 0

    return made_once("bundles/heat.edgecl", export)


def test_what_judges_frames_is_the_same_file_with_and_without(bundle, trained_run, tmp_path):
    plain = tmp_path / "plain.edgecl"
    assert edgecl(["export", str(trained_run), "--out", str(plain), *OPTIONS]) == 0
    files, others = load_bundle(bundle).manifest.files, load_bundle(plain).manifest.files
    assert set(files) - set(others) == {HEAT_MAPS_FILE}
    assert files["model.fp32.onnx"] == others["model.fp32.onnx"]
    assert "Where the network looks" not in (plain / "report.html").read_text()


def test_the_page_shows_examples(bundle, check_page):
    check_page(bundle / "report.html")
    text = (bundle / "report.html").read_text()
    assert "Where the network looks" in text
    assert 1 <= text.count('alt="Heat map of ') <= MOST
    assert 'alt="Heat map of bars' not in text  # it lets parts pass


def test_from_training_to_the_heat_map_of_a_reject(bundle, class_folders, tmp_path, capsys):
    session = open_activation(load_bundle(bundle))
    assert session.cells == Cells(16, 0)  # of shufflenet
    capsys.readouterr()
    camera = ["--camera", str(class_folders / "blob"), "--frames", "6"]
    out = ["--out", str(tmp_path / "o"), "--json", "--heat-maps", "4", "--unsure-below", "0"]
    assert edgecl(["run", "--model", str(bundle), *camera, *out]) == 0
    summary = json.loads(capsys.readouterr().out)
    account = summary["heat_maps"]
    assert account["failed"] == 0
    assert account["written"] + account["left_out"] == summary["statuses"]["reject"] > 0
    images = sorted((tmp_path / "o/heat_maps").iterdir())
    assert len(images) == account["kept"] == min(4, account["written"])
    shown = cv2.imread(str(images[0]))
    assert shown is not None
    assert shown.shape == (40, 40, 3)


def test_a_graph_that_is_not_the_networks_is_refused(trained_run, tmp_path):
    choices = ExportChoices(pass_labels=("bars",), heat_maps=True)
    job = job_of_run(trained_run, choices, lambda *_: None)
    assert job.heat_maps is not None
    reference = reference_of(job.trained, job.validation, job.contract, job.limits)
    other = replace(reference, answers=1 - reference.answers)
    with pytest.raises(GateError, match="the heat-map graph differs from the network"):
        build_heat_maps(job, job.heat_maps, other, tmp_path)
    assert build_heat_maps(job, job.heat_maps, reference, tmp_path).is_file()


def test_tiles_and_a_folded_first_layer(tiny_config: TrainConfig, tmp_path):
    config = replace(
        tiny_config,
        geometry="tiles",
        channels=3,
        encoder="squeezenet",
        pretrain_epochs=0,
        method="none",
        epochs=1,
    )
    train_run(config, tmp_path / "run", report=lambda *_: None)
    job = job_of_run(tmp_path / "run", ExportChoices(heat_maps=True), lambda *_: None)
    limits = replace(job.limits, max_drop=100, max_escapes=100)
    export_bundle(replace(job, limits=limits), tmp_path / "b.edgecl", lambda *_: None)
    session = open_activation(load_bundle(tmp_path / "b.edgecl"))
    tiles = job.validation.images[:13][:, None]
    probabilities, activation = session.run(tiles)
    assert probabilities.shape == (13, 3)
    assert activation.shape == (13, 3, 1, 1)  # of a tile of 32×32


def test_an_encoder_without_places_is_one_line_before_any_work(
    tiny_config: TrainConfig, tmp_path, capsys
):
    config = replace(tiny_config, encoder="cnn-lstm", pretrain_epochs=0, method="none", epochs=1)
    train_run(config, tmp_path / "run", report=lambda *_: None)
    capsys.readouterr()
    out = tmp_path / "b.edgecl"
    assert edgecl(["export", str(tmp_path / "run"), "--out", str(out), "--heat-maps"]) == 2
    err = capsys.readouterr().err
    assert "no heat maps with cnn-lstm" in err
    assert not out.exists()
