"""Bundles: what is verified, and what is said when it does not hold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgecl.cli.shell import run as edgecl
from runtime.bundle import MANIFEST, MANIFEST_SCHEMA, load_bundle, manifest_digest
from runtime.contract import CONTRACT_SCHEMA, InputContract, ModelContract
from runtime.errors import InputError
from runtime.session import open_session


def rewrite(bundle: Path, **changes: object) -> None:
    """Change the manifest and sign it again, as a later edgecl would."""
    manifest = json.loads((bundle / MANIFEST).read_text()) | changes
    manifest["digest"] = manifest_digest(manifest)
    (bundle / MANIFEST).write_text(json.dumps(manifest))


def test_a_whole_bundle_loads(make_bundle):
    bundle = load_bundle(make_bundle(precisions=("fp32", "int8")))
    assert bundle.name == "tiny"
    assert bundle.contract.pass_labels == ("bright",)
    assert bundle.onnx_path("int8").is_file()


def test_one_changed_byte_is_seen_in_every_file(make_bundle):
    path = make_bundle()
    for file in path.iterdir():
        whole = file.read_bytes()
        middle = len(whole) // 2
        file.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        with pytest.raises(InputError, match=r"was changed after the export|cannot be read"):
            load_bundle(path)
        file.write_bytes(whole)
    load_bundle(path)


@pytest.mark.parametrize("verb", [["run", "--camera", "demo", "--model"], ["inspect"], ["bench"]])
def test_every_verb_refuses_a_changed_bundle(make_bundle, tmp_path, capfd, verb):
    path = make_bundle()
    model = path / "model.fp32.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"\x00")
    assert (
        edgecl([*verb, str(path), *(["--out", str(tmp_path / "o")] * (verb[0] != "inspect"))]) == 2
    )
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert "model.fp32.onnx was changed after the export" in line
    assert "export it again" in line
    assert not (tmp_path / "o").exists()


def test_a_missing_file_is_named(make_bundle):
    path = make_bundle()
    (path / "model.fp32.onnx").unlink()
    with pytest.raises(InputError, match=r"model\.fp32\.onnx is missing"):
        load_bundle(path)


def test_a_newer_schema_is_refused_by_its_number(make_bundle):
    path = make_bundle()
    rewrite(path, schema=MANIFEST_SCHEMA + 1)
    with pytest.raises(InputError, match=f"schema {MANIFEST_SCHEMA + 1}.*update edgecl"):
        load_bundle(path)


def test_a_newer_contract_is_refused_by_its_number(make_bundle):
    path = make_bundle()
    contract = json.loads((path / MANIFEST).read_text())["contract"]
    rewrite(path, contract=contract | {"schema": CONTRACT_SCHEMA + 1})
    with pytest.raises(InputError, match="update edgecl"):
        load_bundle(path)


@pytest.mark.parametrize("content", [None, "", "[1, 2]", "{]", '{"schema": "two"}'])
def test_a_folder_that_is_no_bundle(tmp_path, content):
    folder = tmp_path / "x.edgecl"
    folder.mkdir()
    if content is not None:
        (folder / MANIFEST).write_text(content)
    with pytest.raises(InputError, match="edgecl"):
        load_bundle(folder)


def test_no_folder_at_all(tmp_path):
    with pytest.raises(InputError, match="there is no bundle"):
        load_bundle(tmp_path / "nothing.edgecl")


def test_a_precision_that_is_not_there_names_those_that_are(make_bundle):
    with pytest.raises(InputError, match=r"holds no int8; choose among fp32"):
        open_session(make_bundle(), "int8")


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("content", [b"", b"hello, I am a text", b"\x08\x07\x12\x04edge"])
def test_an_onnx_file_that_is_none(tmp_path, engine, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.onnx"):
        open_session(path, engine=engine)


def test_a_stranger_without_a_contract_is_refused(make_bundle, tmp_path):
    import onnx

    model = onnx.load(make_bundle() / "model.fp32.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "stranger.onnx")
    for engine in ("onnxruntime", "openvino"):
        with pytest.raises(InputError, match="has no edgecl contract"):
            open_session(tmp_path / "stranger.onnx", engine=engine)


def test_an_engine_that_is_not_there_names_the_command(make_bundle, monkeypatch):
    monkeypatch.setattr("runtime.session.opening.installed_engines", lambda: ("onnxruntime",))
    bundle = make_bundle()
    with pytest.raises(InputError, match=r"openvino is not installed.*pip install"):
        open_session(bundle, engine="openvino")
    with pytest.raises(InputError, match="no engine 'abacus'; choose among onnxruntime"):
        open_session(bundle, engine="abacus")


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_batch_of_another_shape_or_type_is_refused(make_bundle, engine):
    with open_session(make_bundle(), "fp32", engine=engine) as session:
        for batch in (
            np.zeros((1, 1, 32, 47), np.uint8),
            np.zeros((1, 3, 32, 48), np.uint8),
            np.zeros((32, 48), np.uint8),
            np.zeros((1, 1, 32, 48), np.float32),
        ):
            with pytest.raises(InputError, match="the model takes uint8"):
                session.infer(batch)  # type: ignore[arg-type]


def test_the_contract_survives_json_and_metadata():
    contract = ModelContract(InputContract(7, 9, "area"), ("ö", "b,c", "<d>"), ("ö",))
    again = json.loads(json.dumps(contract.to_json()))
    assert ModelContract.from_json(again, where="x") == contract
    assert ModelContract.from_metadata(contract.to_metadata(), where="x") == contract


@pytest.mark.parametrize(
    ("size", "interpolation"), [((0, 5), "linear"), ((5, -1), "linear"), ((5, 5), "cubic")]
)
def test_an_impossible_contract_is_refused(size, interpolation):
    with pytest.raises(InputError):
        InputContract(size[0], size[1], interpolation)
