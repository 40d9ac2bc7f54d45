"""The page of an export: whole from any part of its material, and safe with any name."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from edgecl.reporting.pages.export import FIRST_LAYERS, render_export
from edgecl.reporting.pages.layers import layer_rows
from edgecl.reporting.pages.range_histograms import range_histograms
from edgecl.reporting.plots.calibration_curve import curve_text
from export.gate.decision import Limits, caveat, compare, reason_to_refuse
from export.gate.thumbnails import thumbnails
from runtime.artifact.manifest import Manifest
from runtime.files.document import parse_document

HOSTILE = "<script>alert('x')</script>"
LABELS = ("clean", "pit")
LIMITS = Limits(0.5, 1)
BARE: dict[str, Any] = {
    "schema": 1,
    "contract": {
        "schema": 2,
        "input": {"height": 128, "width": 800, "interpolation": "area"},
        "labels": ["clean", "pit"],
    },
    "files": {},
    "precisions": {},
}


def answers(rights: list[bool], targets: np.ndarray) -> np.ndarray:
    probabilities = np.full((len(targets), 2), 0.1, np.float32)
    label = np.where(rights, targets, 1 - targets)
    probabilities[np.arange(len(targets)), label] = 0.9
    return probabilities


def material(labels: tuple[str, str] = LABELS) -> tuple[dict[str, Any], dict[str, Any]]:
    """A bundle whose FP32 ships and whose INT8 lets two pits pass."""
    targets = np.repeat([0, 1], 20)
    whole, lossy = [True] * 40, [True] * 38 + [False] * 2
    found = {
        name: compare(
            answers(whole, targets),
            answers(rights, targets),
            targets,
            labels=labels,
            pass_labels=labels[:1],
        )
        for name, rights in (("fp32", whole), ("int8", lossy))
    }
    manifest = {
        "name": "night-7",
        "created": "2026-01-02T03:04:05+00:00",
        "edgecl_version": "0.1.0",
        **BARE,
        "precisions": {
            "fp32": {
                "file": "model.fp32.onnx",
                "accuracy": 1.0,
                "test_accuracy": 0.9876,
                "max_abs_diff": 4e-7,
                "agreement": 1.0,
                "bytes": 1_640_000,
            }
        },
        "refused": {
            "int8": {"reason": reason_to_refuse(found["int8"], LIMITS), **asdict(found["int8"])}
        },
        "gate": {
            "max_drop": 0.5,
            "max_escapes": 1.0,
            "validation_images": 40,
            "reference_accuracy": 1.0,
            "comparisons": {name: asdict(comparison) for name, comparison in found.items()},
        },
        "origin": {"run": "runs/night-7", "encoder": "shufflenet", "parameters": 412_345},
        "calibration": {"algorithm": "entropy", "images": 64, "kept": ["stem.conv"]},
        "rewrites": ["gray-input"],
        "digest": "ab" * 32,
    }
    rows = [escape.row for escape in found["int8"].escaped]
    images = thumbnails(np.full((40, 16, 100), 90, np.uint8), rows)
    details = {
        "algorithms": [
            {
                "algorithm": name,
                "accuracy": 0.9,
                "agreement": 0.91,
                "snr_db": 21.5,
                "chosen": name == "entropy",
            }
            for name in ("minmax", "entropy")
        ],
        "sensitivity": [
            {
                "layer": f"stage.{n}",
                "accuracy": 0.99,
                "agreement": 1,
                "snr_db": 40 - n,
                "kept": n == 3,
            }
            for n in range(FIRST_LAYERS + 4)
        ],
        "curve": [{"images": n, "accuracies": [0.9, 1 - 0.5 / n]} for n in (16, 4, 64)],
        "histograms": [
            {"layer": "stem.conv", "edges": [-1, 3], "counts": [1, 50, 9, 0], "range": [-0.5, 2.5]}
        ],
        "escapes": {
            "int8": [
                {
                    "file": f"pit_{escape.row}.png",
                    "label": escape.label,
                    "reference": escape.reference,
                    "reference_confidence": escape.reference_confidence,
                    "answered": escape.answer,
                    "confidence": escape.confidence,
                    "image": image,
                }
                for escape, image in zip(found["int8"].escaped, images, strict=True)
            ]
        },
        "notes": [caveat(found["fp32"], LIMITS)],
    }
    return manifest, details


def rendered(manifest: dict[str, Any], details: dict[str, Any]) -> str:
    return render_export(parse_document(manifest, Manifest, where="here"), details)


def page_of(check_page, tmp_path, manifest, details):
    path = tmp_path / "export.html"
    path.write_text(rendered(manifest, details), encoding="utf-8")
    return check_page(path)


def test_a_full_page(tmp_path, check_page):
    page = page_of(check_page, tmp_path, *material())
    text = " ".join(page.text.split())
    for part in (
        "✗ Not shipped: int8.",
        "A precision may lose 0.5 points of accuracy and 1 % of the caught defects, measured on 40",
        "int8 is not shipped: accuracy fell by 5.00 points",
        "2 of 20 defects caught by FP32 escape",
        "2 of 202.8 % to 30.1 %",
        "98.76 %",
        "4e−7",
        "cannot prove a limit of 0.5 %",
        "Escapes in int8",
        "pit_38.png",
        "✓ chosen",
        "Up to 2 draws of each size",
        "4 further layers",
        "kept −0.5 to 2.5",
        "gray-input",
        "In INT8 left in floating point: stem.conv",
        "runs/night-7",
    ):
        assert part in text
    assert page.tags.count("img") == 2
    assert page.tags.count("svg") == 2


def test_recall_shows_by_how_many_images_it_changed(tmp_path, check_page):
    text = " ".join(page_of(check_page, tmp_path, *material()).text.split())
    assert "pit20100.0 % 100.0 % −290.0 %" in text
    assert "clean20100.0 % 100.0 % 100.0 %" in text


def test_the_least_there_is(tmp_path, check_page):
    page = page_of(check_page, tmp_path, BARE, {})
    assert "svg" not in page.tags
    for heading in (
        "Recall",
        "Escapes in",
        "Calibration",
        "Ranges",
        "Accuracy cost per layer",
        "The graph",
    ):
        assert f"{heading}" not in page.text


@pytest.mark.parametrize("gone", sorted(set(material()[0]) - set(BARE)))
def test_any_part_of_the_manifest_may_be_missing(tmp_path, check_page, gone):
    manifest, details = material()
    del manifest[gone]
    page_of(check_page, tmp_path, manifest, details)
    page_of(check_page, tmp_path, manifest, dict.fromkeys(details))


@pytest.mark.parametrize("gone", sorted(material()[1]))
def test_a_section_without_data_is_absent(tmp_path, check_page, gone):
    manifest, details = material()
    whole = rendered(manifest, details)
    page_of(check_page, tmp_path, manifest, {**details, gone: []} if gone != "escapes" else details)
    assert len(rendered(manifest, {**details, gone: type(details[gone])()})) < len(whole)


def test_a_bundle_of_an_earlier_edgecl(tmp_path, check_page):
    figures = {"accuracy": 0.97, "max_abs_diff": 0.01, "agreement": 0.99, "bytes": 10**6}
    manifest = {
        **BARE,
        "precisions": {"fp32": {**figures, "file": "model.fp32.onnx", "test_accuracy": None}},
        "refused": {"int8": {"reason": "it fell", **figures}},
        "gate": {"max_drop": 0.5, "reference_accuracy": 0.97},
    }
    page = page_of(check_page, tmp_path, manifest, {})
    assert "int8 is not shipped: it fell." in page.text
    assert "97.00 %" in page.text


def test_tensorrts_own_form_has_its_row_and_a_shared_file_none(tmp_path, check_page):
    manifest, details = material()
    fp32 = manifest["precisions"]["fp32"]
    manifest["tensorrt"] = {"fp32": fp32, "int8": {**fp32, "file": "model.int8-tensorrt.onnx"}}
    text = " ".join(page_of(check_page, tmp_path, manifest, details).text.split())
    assert "int8-tensorrt ✓" in text
    assert "fp32-tensorrt" not in text


@pytest.mark.parametrize("name", [HOSTILE, "a$b$c", "x--><b>", '" onload="', "猫 😀", "\udcff"])
def test_names_are_text_whatever_they_say(tmp_path, check_page, name):
    manifest, details = material((name, "pit"))
    manifest |= {"name": name, "rewrites": [name], "origin": {"run": name, "encoder": name}}
    details["escapes"]["int8"][0] |= {"file": name, "label": name}
    details["escapes"][name] = details["escapes"]["int8"]
    for section in ("sensitivity", "histograms"):
        details[section][0]["layer"] = name
    details["algorithms"][0]["algorithm"] = details["notes"][0] = name
    page = page_of(check_page, tmp_path, manifest, details)
    assert page.text.count(name.replace("\udcff", "\N{REPLACEMENT CHARACTER}")) >= 9


@pytest.mark.parametrize(
    "image", ["", None, "no base64!", base64.b64encode(b"<svg onload=x>").decode(), 7]
)
def test_what_is_no_png_is_no_image(tmp_path, check_page, image):
    manifest, details = material()
    details["escapes"]["int8"] = [{"file": "a.png", "image": image}]
    page = page_of(check_page, tmp_path, manifest, details)
    assert "no image" in page.text
    assert "img" not in page.tags


def test_figures_that_are_no_numbers(tmp_path, check_page):
    manifest, details = material()
    nan = float("nan")
    manifest["precisions"]["fp32"] |= {"accuracy": nan, "max_abs_diff": nan}
    details["sensitivity"] = [{"layer": "a", "accuracy": nan, "snr_db": float("inf")}]
    details["curve"] = [{"images": 0, "accuracies": [1]}, {"images": 4, "accuracies": [nan]}]
    details["histograms"] = [
        {"layer": "a", "edges": [1, 1], "counts": [1]},
        {"layer": "b", "edges": [0, nan], "counts": [1]},
        {"layer": "c", "edges": [0, 1], "counts": []},
        {"layer": "d", "edges": [0, 1], "counts": [0, nan, 0], "range": None},
    ]
    page = page_of(check_page, tmp_path, manifest, details)
    assert "nan" not in page.text
    assert page.tags.count("svg") == 1


def test_the_worst_layer_comes_first_and_bars_fill_their_place():
    rows = layer_rows(
        [
            {"layer": "a", "snr_db": 38.0, "accuracy": 0.9},
            {"layer": "b", "snr_db": -3.0, "accuracy": 0.8},
            {"layer": "c", "snr_db": None, "accuracy": 0.95},
        ],
        0.9,
    )
    assert [row["layer"] for row in rows] == ["b", "a", "c"]
    assert [row["snr_bar"] for row in rows] == [0.0, 95.0, 0.0]
    assert [row["points"] for row in rows] == [10.0, 0.0, -5.0]
    assert [row["points_bar"] for row in rows] == [100.0, 0.0, 0.0]


def test_what_a_range_cuts_off():
    (drawing,) = range_histograms(
        [{"layer": "a", "edges": [0, 4], "counts": [90, 5, 4, 1], "range": [0, 2]}]
    )
    assert (drawing["start"], drawing["end"]) == (0.0, 100.0)
    assert drawing["cut"] == pytest.approx(0.05)
    assert drawing["cut_text"] == "5.00 %"
    assert drawing["path"].startswith("M0 56V2")
    (wide,) = range_histograms(
        [{"layer": "a", "edges": [0, 4], "counts": [1, 1, 1, 1], "range": [-9, 9]}]
    )
    assert (wide["start"], wide["end"], wide["cut_text"]) == (0.0, 200.0, "0.00 %")
    (hair,) = range_histograms(
        [{"layer": "a", "edges": [0, 2], "counts": [100_000, 1], "range": [0, 1]}]
    )
    assert hair["cut_text"] == "under 0.01 %"


def test_how_many_images_are_enough():
    curve: list[dict[str, Any]] = [
        {"images": 64, "accuracies": [0.98, 0.99]},
        {"images": 16, "accuracies": [0.985, 0.98], "enough": True},
        {"images": 4, "accuracies": [0.7]},
    ]
    text = curve_text(curve, 0.99)
    assert "With 64 images INT8 reaches 98.50 % on average; as trained: 99.00 %." in text
    assert "16 are enough" in text
    assert "No size is shown to be enough" in curve_text([curve[0], curve[2]], None)
    assert curve_text([], 0.9) == ""


def test_engines_stand_beside_each_other_where_there_are_two(tmp_path, check_page):
    manifest, details = material()
    one = {"accuracy": 1.0, "agreement": 1.0, "max_abs_diff": 1e-6}
    manifest["gate"]["engines"] = {"fp32": {"onnxruntime": one}}
    assert "In each engine" not in rendered(manifest, details)
    manifest["gate"]["engines"]["fp32"]["openvino"] = one | {"accuracy": 0.9321}
    text = page_of(check_page, tmp_path, manifest, details).text
    assert "openvino93.21 %" in text


def test_remedies_stand_on_the_page_with_what_came_of_them(tmp_path, check_page):
    manifest, details = material()
    assert "Remedies" not in rendered(manifest, details)
    manifest["gate"]["remedies"] = [
        {"remedy": "mse calibration", "outcome": "fails", "result": "int8 2 lost", "seconds": 5.06},
        {"remedy": HOSTILE, "outcome": "ships", "result": "ships", "seconds": 61.0},
    ]
    text = " ".join(page_of(check_page, tmp_path, manifest, details).text.split())
    assert "mse calibrationint8 2 lost5.1" in text
    assert f"{HOSTILE}✓ ships61.0" in text


def test_what_is_unproven_is_said_once(tmp_path, check_page):
    manifest, details = material()
    manifest["gate"]["unproven"] = {"fp32": "2 of 269 lost"}
    manifest["notes"] = ["fp32 is unproven: 2 of 269 lost", "another note"]
    del manifest["refused"]
    page = page_of(check_page, tmp_path, manifest, {**details, "notes": []})
    text = " ".join(page.text.split())
    assert "Shipped: fp32." in text
    assert "Unproven: fp32." in text
    assert text.count("2 of 269 lost") == 1
    assert "another note." in text


def test_notes_of_the_manifest_do_too(tmp_path, check_page):
    manifest, details = material()
    page = page_of(
        check_page, tmp_path, manifest | {"notes": ["A short note"]}, {**details, "notes": []}
    )
    assert "A short note." in page.text
