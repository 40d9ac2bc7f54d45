"""A calibration can be repeated or refused by its record, and never sees the test part."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from calibration.images import require_untested, set_digest
from calibration.observation import observe
from calibration.ranges import ranges_of
from calibration.record import (
    CalibrationRecord,
    images_of,
    read_record,
    record_of_bundle,
    rows_of_record,
    small_histograms,
)
from runtime.errors import InputError
from runtime.files.document import plain, write_document
from tests.calibration.graphs import draw_images, small_graph

FILES = ("a.png", "b.png", "c.png")
HASHES = ("1" * 64, "2" * 64, "3" * 64)


@pytest.fixture
def record() -> CalibrationRecord:
    model = small_graph()
    observation = observe(model, draw_images(5))
    return CalibrationRecord(
        method="mse",
        selection="coverage",
        images=images_of(FILES, HASHES),
        ranges=dict(ranges_of(observation, "mse")),
        observation="f" * 64,
        histograms=small_histograms(model, observation),
        note="3 images are few",
    )


def test_it_comes_back_from_its_file(record, tmp_path):
    path = tmp_path / "calibration.json"
    write_document(path, record)
    assert read_record(path) == record


def test_histograms_are_those_of_the_inputs_of_layers_with_weights(record):
    layers = {name: entry.layer for name, entry in record.histograms.items()}
    assert layers == {
        "scaled": "first",
        "one_relu": "second",
        "pooled": "embed",
        "embedding": "head",
    }
    for name, entry in record.histograms.items():
        assert len(entry.edges) == len(entry.counts) + 1 <= 65
        assert entry.edges[0] <= record.ranges[name][0] <= record.ranges[name][1] <= entry.edges[-1]
    assert sum(record.histograms["one_relu"].counts) == 5 * 4 * 12 * 16


def test_a_tensor_that_feeds_two_layers_is_shown_once_under_the_first():
    model = small_graph()
    weight = np.ones((2, 4, 1, 1), np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "third.weight"))
    model.graph.node.append(
        onnx.helper.make_node("Conv", ["one_relu", "third.weight"], ["three"], name="three")
    )
    found = small_histograms(model, observe(model, draw_images(2)))
    assert found["one_relu"].layer == "second"
    assert len(found) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 99}, "schema 99"),
        ({"images": [{"file": "a.png"}]}, "lacks the field .images"),
        ({"ranges": {"one": 3}}, "expected array, got int in .ranges"),
        ({"histograms": []}, "expected object, got array in .histograms"),
    ],
)
def test_a_record_that_cannot_be_read_is_refused(record, tmp_path, change, message):
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps({**plain(record), **change}))
    with pytest.raises(InputError, match=message) as caught:
        read_record(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_missing_or_broken_file_is_refused(tmp_path, content):
    path = tmp_path / "calibration.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=r"calibration\.json"):
        read_record(path)


def test_its_images_are_found_among_others_under_other_names_and_in_any_order(record):
    others = ("4" * 64, *HASHES[::-1], "5" * 64)
    assert rows_of_record(record, ("v", "w", "x", "y", "z"), others).tolist() == [3, 2, 1]


def test_of_equal_images_the_first_is_taken(record):
    assert rows_of_record(record, (*FILES, "d.png"), (*HASHES, HASHES[0])).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("files", "hashes", "message"),
    [
        (FILES[:2], HASHES[:2], r"c\.png is not among the given images"),
        (FILES, (*HASHES[:2], "4" * 64), r"c\.png was changed after the recorded calibration"),
    ],
)
def test_a_image_that_is_gone_or_changed_is_named(record, files, hashes, message):
    with pytest.raises(InputError, match=message):
        rows_of_record(record, files, hashes)


def test_a_bundle_without_int8_has_no_record(make_bundle):
    with pytest.raises(InputError, match="has no INT8 precision"):
        record_of_bundle(make_bundle())


def test_a_test_image_in_the_calibration_set_is_refused_by_name():
    require_untested(FILES, HASHES, ("4" * 64,))
    with pytest.raises(InputError, match=r"1 of 3 calibration images.*b\.png"):
        require_untested(FILES, HASHES, ("4" * 64, "2" * 64))


def test_the_digest_of_a_set_knows_no_order():
    assert set_digest(HASHES) == set_digest(HASHES[::-1]) != set_digest(HASHES[:2])
