"""What a bundle knows of its training images is read, verified and checked."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from runtime.artifact.bundle import MANIFEST, load_bundle
from runtime.errors import InputError
from runtime.novelty import NOVELTY, novelty_beside
from runtime.novelty.reference import CENTRE, MEANS, OVERALL, WITHIN
from tests.novelty import LIMIT, add_novelty, distances, packed, space_of_brightness


def embedding(brightness: float) -> np.ndarray:
    return np.full((1, 128), brightness, np.float32)


def test_a_bundle_tells_and_so_does_a_file_of_it(make_bundle):
    folder = add_novelty(make_bundle())
    for source in (folder, load_bundle(folder), folder / "model.fp32.onnx", str(folder)):
        novelty = novelty_beside(source)
        assert novelty is not None
        assert novelty.limits == {"fp32": LIMIT}
        assert novelty.images == 199
        assert novelty.relative_distance(embedding(0.5), "fp32") == pytest.approx(0, abs=1e-5)
        assert novelty.relative_distance(embedding(0.55), "fp32") == pytest.approx(0.5, abs=1e-3)
        assert novelty.relative_distance(embedding(0.65), "fp32") == pytest.approx(1.5, abs=1e-3)


def test_far_is_what_one_validation_image_in_ten_is(make_bundle):
    novelty = novelty_beside(add_novelty(make_bundle()))
    assert novelty is not None
    assert novelty.far["fp32"] == pytest.approx(0.9, abs=0.01)


def test_a_bundle_of_an_earlier_version_does_not_tell(make_bundle, tmp_path):
    folder = make_bundle()
    assert novelty_beside(folder) is None
    assert novelty_beside(load_bundle(folder)) is None
    assert novelty_beside(tmp_path / "elsewhere" / "model.onnx") is None


def test_each_form_has_a_limit_of_its_own(make_bundle):
    limits = {"fp32": 0.1, "int8": 0.2, "int8-openvino": 0.3, "int8-tensorrt": 0.4}
    novelty = novelty_beside(add_novelty(make_bundle(), limits=limits))
    assert novelty is not None
    assert novelty.form("fp32", "openvino") == "fp32"
    assert novelty.form("int8", "cpu") == "int8"
    assert novelty.form("int8", "openvino") == "int8-openvino"
    assert novelty.form("int8", "tensorrt") == "int8-tensorrt"
    assert novelty.form("fp16", "cpu") is None
    asked = embedding(0.6)
    found = [novelty.relative_distance(asked, name) for name in limits]
    np.testing.assert_allclose(found, [1, 0.5, 1 / 3, 0.25], atol=1e-4)


def test_without_a_form_of_openvinos_own_the_cpus_counts(make_bundle):
    novelty = novelty_beside(add_novelty(make_bundle(), limits={"fp32": 0.1, "int8": 0.2}))
    assert novelty is not None
    assert novelty.form("int8", "openvino") == "int8"
    assert novelty.form("int8", "tensorrt") is None


def test_a_file_that_was_changed_is_refused_beside_a_lone_model_too(make_bundle):
    folder = add_novelty(make_bundle())
    (folder / NOVELTY).write_bytes(packed(**space_of_brightness(), **distances("fp32")) + b" ")
    with pytest.raises(InputError, match=r"novelty.npz was changed after export"):
        novelty_beside(folder / "model.fp32.onnx")
    (folder / NOVELTY).unlink()
    with pytest.raises(InputError, match=r"novelty.npz cannot be read \(No such file"):
        novelty_beside(folder)


def damaged(name: str) -> bytes:
    arrays: dict[str, Any] = {**space_of_brightness(), **distances("fp32")}
    if name == "truncated":
        return packed(**arrays)[:200]
    if name == "empty":
        return b""
    if name == "no zip":
        return b"\x93NUMPY" * 30
    changed: dict[str, dict[str, Any]] = {
        "no means": {key: value for key, value in arrays.items() if key != MEANS},
        "pickled": {**arrays, CENTRE: np.array([{}], object)},
        "float64": {**arrays, CENTRE: arrays[CENTRE].astype(np.float64)},
        "text": {**arrays, CENTRE: np.array(["a"])},
        "NaN": {**arrays, WITHIN: arrays[WITHIN] * np.nan},
        "other size": {**arrays, WITHIN: arrays[WITHIN][:5]},
        "other overall": {**arrays, OVERALL: arrays[OVERALL][:5]},
        "no class": {**arrays, MEANS: arrays[MEANS][:0]},
        "flat": {**arrays, MEANS: arrays[MEANS][:, 0]},
        "descending": {**arrays, "distances.fp32": arrays["distances.fp32"][::-1]},
        "no distances": {**arrays, "distances.fp32": arrays["distances.fp32"][:0]},
    }
    return packed(**changed[name])


@pytest.mark.parametrize(
    ("name", "told"),
    [
        *((name, "cannot be read") for name in ("truncated", "empty", "no zip", "no means")),
        ("pickled", "cannot be read"),
        *((name, "not finite float32") for name in ("float64", "text", "NaN")),
        *(
            (name, "do not fit each other")
            for name in ("other size", "other overall", "no class", "flat")
        ),
        *((name, "not ascending") for name in ("descending", "no distances")),
    ],
)
def test_a_damaged_file_is_one_line(make_bundle, name, told):
    folder = add_novelty(make_bundle(), data=damaged(name))
    with pytest.raises(InputError, match=told) as caught:
        novelty_beside(folder)
    assert "\n" not in str(caught.value)
    assert "export the model again" in str(caught.value)


@pytest.mark.parametrize("limit", [0.0, -1.0])
def test_a_limit_that_none_can_be_is_refused(make_bundle, limit):
    with pytest.raises(InputError, match="does not fit the manifest, whose limit of fp32"):
        novelty_beside(add_novelty(make_bundle(), limits={"fp32": limit}))


def test_a_record_without_a_limit_is_refused(make_bundle):
    folder = add_novelty(make_bundle())
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["novelty"]["forms"] = {}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="has no limit"):
        novelty_beside(folder)
