"""Runs of every kind export: few labels, three channels, a network with an LSTM or attention."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from calibration.record import read_record
from edgecl.cli.shell import run as edgecl
from edgecl.exporting.job import ExportChoices, job_of_run
from edgecl.learning.runner import pretrain_run, train_run
from runtime.artifact.bundle import load_bundle
from runtime.session import open_session
from tests.large_encoders import ON_DEMAND

pytestmark = pytest.mark.usefixtures("graphs_made_once")


@pytest.fixture
def trained(tiny_config, tmp_path):
    """`trained(**choices)` trains a run of one epoch, and returns its folder."""

    def train(**choices):
        run = tmp_path / "run"
        config = replace(tiny_config, method="none", epochs=1, **choices)
        train_run(config, run, report=lambda *_: None)
        return run

    return train


def export(run, out, *options):
    allowing = ("--max-drop", "100", "--max-escapes", "100")
    return edgecl(["export", str(run), "--json", "--out", str(out), *options, *allowing])


@pytest.mark.parametrize(
    ("encoder", "channels", "rewrite"),
    [
        ("shufflenet", 3, True),
        # Their graphs and precisions are tested without a run.
        pytest.param("vit-small", 3, False, marks=ON_DEMAND),
        pytest.param("cnn-lstm", 1, False, marks=ON_DEMAND),
    ],
)
def test_every_precision_of_it_is_exported(trained, tmp_path, capfd, encoder, channels, rewrite):
    out = tmp_path / "b.edgecl"
    run = trained(encoder=encoder, channels=channels)
    assert export(run, out, "--fp16", "--int8", "--calibration", "minmax") == 0
    document = json.loads(capfd.readouterr().out)
    assert {"fp32", "fp16", "int8", "int8-tensorrt"} <= set(document["precisions"])
    assert document["comparisons"]["fp32"]["max_abs_diff"] < 1e-4
    assert ("gray-input" in document.get("rewrites", ())) == rewrite
    bundle = load_bundle(out)
    assert bundle.manifest.origin.channels == channels
    for precision in bundle.precisions:
        with open_session(bundle, precision, engine="onnxruntime") as session:
            assert session.contract.input.shape == (32, 32)


def test_few_labels_calibrate_with_images_whose_label_was_not_shown(trained, tmp_path):
    run = trained(encoder="shufflenet", label_share=0.25)
    job = job_of_run(run, ExportChoices(), lambda *_: None)
    shown = (job.candidates.targets >= 0).sum()
    assert 0 < shown < len(job.candidates) == 84
    assert len(job.validation) < 18
    held_out = {*job.validation.hashes, *job.test.hashes}
    assert not held_out & set(job.candidates.hashes)
    out = tmp_path / "b.edgecl"
    assert export(run, out, "--int8", "--calibration", "minmax") == 0
    record = read_record(out / "calibration.json")
    assert len(record.files) == 84
    # A quarter of the set: the shown ones and as many others as of any class.
    options = ("--calibration", "minmax", "--calibration-images", "20")
    assert export(run, out, "--int8", *options) == 0
    chosen = set(read_record(out / "calibration.json").hashes)
    labels = dict(zip(job.candidates.hashes, job.candidates.targets.tolist(), strict=True))
    assert {labels[digest] for digest in chosen} == {-1, 0, 1, 2}


def test_a_pretraining_alone_is_not_exported(tiny_config, tmp_path, capfd):
    run = tmp_path / "run"
    pretrain_run(
        replace(tiny_config, pretrain_epochs=1, pretrain_only=True), run, report=lambda *_: None
    )
    assert edgecl(["export", str(run)]) == 2
    assert "the run is not finished" in capfd.readouterr().err
