"""One precision in several forms: each engine takes the file that was made for it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from runtime.artifact.bundle import MANIFEST, file_digest, load_bundle, manifest_digest
from runtime.errors import InputError
from runtime.session import open_session
from runtime.session.opening import open_fastest

OWN = "model.int8.openvino.onnx"


@pytest.fixture
def forms(make_bundle) -> Path:
    """A bundle with another INT8 file for OpenVINO."""
    folder: Path = make_bundle(precisions=("fp32", "int8"))
    shutil.copy(folder / "model.int8.onnx", folder / OWN)
    return rewritten(folder, lambda manifest: manifest["precisions"]["int8"])


def rewritten(folder: Path, entry) -> Path:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["openvino"] = {"int8": {**entry(manifest), "file": OWN}}
    size = (folder / OWN).stat().st_size
    manifest["files"][OWN] = {"sha256": file_digest(folder / OWN), "bytes": size}
    manifest["digest"] = manifest_digest(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


def test_openvino_takes_its_own_form_and_others_the_common_one(forms):
    bundle = load_bundle(forms)
    assert bundle.onnx_path("int8", target="openvino").name == OWN
    assert bundle.onnx_path("int8", target="onnxruntime").name == "model.int8.onnx"
    assert bundle.onnx_path("fp32", target="openvino").name == "model.fp32.onnx"


def test_a_damaged_form_is_refused_before_any_engine_opens(forms):
    (forms / OWN).write_bytes(b"")
    with pytest.raises(InputError, match=OWN):
        open_session(forms, "int8", engine="onnxruntime")


def test_a_precision_that_only_one_engine_has_is_opened_in_that_one(forms):
    manifest = json.loads((forms / MANIFEST).read_text())
    del manifest["precisions"]["int8"]
    manifest["digest"] = manifest_digest(manifest)
    (forms / MANIFEST).write_text(json.dumps(manifest))
    session, table = open_fastest(forms, "int8")
    with session:
        assert (session.precision, session.engine, list(table)) == ("int8", "openvino", [])
    with pytest.raises(InputError, match="has no int8"):
        open_session(forms, "int8", engine="onnxruntime")


def test_a_lone_file_bears_its_precision_whatever_its_form(forms):
    with open_session(forms / OWN, engine="openvino") as session:
        assert session.precision == "int8"
