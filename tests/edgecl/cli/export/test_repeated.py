"""A calibration is repeated on the very images of another bundle, or refused."""

from __future__ import annotations

import json

import pytest

from edgecl.cli.shell import run as edgecl
from tests.made_once import spared_exports

pytestmark = pytest.mark.usefixtures("graphs_made_once")


@pytest.fixture(scope="module")
def first(trained_run, made_once):
    def export(out):
        options = ["--calibration", "mse", "--calibration-images", "20", "--calibration-choice"]
        gate = ["--max-drop", "50", "--max-escapes", "100"]
        command = ["export", str(trained_run), "--int8", *options, "random", *gate]
        with spared_exports(made_once):
            assert edgecl([*command, "--out", str(out)]) == 0

    return made_once("bundles/first.edgecl", export)


def record_of(bundle):
    return json.loads((bundle / "calibration.json").read_text())


def test_images_algorithm_and_ranges_are_those_of_the_first(trained_run, first, tmp_path):
    out = tmp_path / "again.edgecl"
    arguments = ["--calibration-of", str(first), "--max-drop", "50", "--max-escapes", "100"]
    assert edgecl(["export", str(trained_run), "--int8", *arguments, "--out", str(out)]) == 0
    assert record_of(out) == record_of(first)
    assert (out / "model.int8.onnx").read_bytes() == (first / "model.int8.onnx").read_bytes()


def test_an_algorithm_that_is_named_counts_more(trained_run, first, tmp_path):
    out = tmp_path / "again.edgecl"
    arguments = ["--calibration-of", str(first), "--calibration", "minmax", "--max-drop", "50"]
    gate = ["--max-escapes", "100"]
    assert edgecl(["export", str(trained_run), "--int8", *arguments, *gate, "--out", str(out)]) == 0
    assert record_of(out)["images"] == record_of(first)["images"]
    assert record_of(out)["method"] == "minmax"


def test_images_that_are_not_at_hand_are_refused(trained_run, first, tmp_path, capfd):
    import cv2
    import numpy as np

    other = tmp_path / "other"
    other.mkdir()
    for number in range(12):
        image = np.random.default_rng(number).integers(0, 255, (40, 40), np.uint8)
        cv2.imwrite(str(other / f"{number}.png"), image)
    arguments = ["--calibration-of", str(first), "--calibration-data", str(other)]
    out = tmp_path / "b.edgecl"
    assert edgecl(["export", str(trained_run), "--int8", *arguments, "--out", str(out)]) == 2
    assert "is not among the given images" in capfd.readouterr().err
    assert not out.exists()


def test_what_is_no_bundle_is_refused_before_the_work(trained_run, tmp_path, capfd):
    arguments = ["--calibration-of", str(tmp_path / "nowhere.edgecl")]
    assert edgecl(["export", str(trained_run), "--int8", *arguments]) == 2
    captured = capfd.readouterr().err
    assert "no bundle" in captured
    assert "exporting" not in captured
