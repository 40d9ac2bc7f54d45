"""Bundles: what is verified, and what is said when it does not hold."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecl.cli.shell import run as edgecl
from runtime.artifact.bundle import MANIFEST, MANIFEST_SCHEMA, load_bundle, manifest_digest
from runtime.artifact.contract import CONTRACT_SCHEMA, InputContract, ModelContract
from runtime.errors import InputError
from runtime.session import open_session
from runtime.session.spec import OPENVINO


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
        with pytest.raises(InputError, match=r"was changed after export|cannot be read"):
            load_bundle(path)
        file.write_bytes(whole)
    load_bundle(path)


@pytest.mark.parametrize("verb", [["run", "--camera", "demo", "--model"], ["inspect"], ["bench"]])
def test_every_verb_refuses_a_changed_bundle(make_bundle, tmp_path, monkeypatch, capfd, verb):
    monkeypatch.chdir(tmp_path)  # where nothing else is called demo
    path = make_bundle()
    model = path / "model.fp32.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"\x00")
    assert (
        edgecl([*verb, str(path), *(["--out", str(tmp_path / "o")] * (verb[0] != "inspect"))]) == 2
    )
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert "model.fp32.onnx was changed after export" in line
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
    with pytest.raises(InputError, match="no bundle"):
        load_bundle(tmp_path / "nothing.edgecl")


def test_a_precision_that_is_not_there_names_those_that_are(make_bundle):
    with pytest.raises(InputError, match=r"has no int8; choose from fp32"):
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
    absent = replace(OPENVINO, module="a_module_that_is_not_there")
    monkeypatch.setattr("runtime.session.spec.OPENVINO", absent)
    bundle = make_bundle()
    with pytest.raises(InputError, match=r"openvino is not installed.*pip install"):
        open_session(bundle, engine="openvino")
    with pytest.raises(InputError, match="unknown engine 'abacus'; choose from onnxruntime"):
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


ODD: tuple[object, ...] = (None, [], "x", 3, {"a": 1}, {"a": {"b": 2}})


@pytest.mark.parametrize(
    "field", ["files", "precisions", "contract", "tensorrt", "refused", "gate"]
)
@pytest.mark.parametrize("value", ODD)
def test_a_manifest_of_another_form_is_one_line_whatever_it_holds(make_bundle, capfd, field, value):
    path = make_bundle()
    rewrite(path, **{field: value})
    code = edgecl(["inspect", str(path)])
    captured = capfd.readouterr()
    assert (code, len(captured.err.splitlines())) in ((0, 0), (2, 1))
    if code == 2:
        assert MANIFEST in captured.err or "manifest" in captured.err


@pytest.mark.parametrize("field", ["accuracy", "bytes", "file", "test_accuracy"])
@pytest.mark.parametrize("value", ["x", [], {}, "../fp32.onnx"])
def test_a_strange_figure_is_refused(make_bundle, field, value):
    path = make_bundle()
    entry = json.loads((path / MANIFEST).read_text())["precisions"]["fp32"]
    rewrite(path, precisions={"fp32": entry | {field: value}})
    with pytest.raises(InputError, match="is malformed"):
        load_bundle(path)


@pytest.mark.parametrize("name", ["../outside", "/etc/hosts", ".", ""])
def test_a_manifest_that_points_outside_its_bundle_is_refused(make_bundle, name):
    path = make_bundle()
    files = json.loads((path / MANIFEST).read_text())["files"]
    rewrite(path, files=files | {name: files["model.fp32.onnx"]})
    with pytest.raises(InputError, match="not the name of a file in the bundle"):
        load_bundle(path)


def test_a_model_that_no_hash_covers_is_refused(make_bundle):
    path = make_bundle()
    rewrite(path, files={})
    with pytest.raises(InputError, match=r"'model\.fp32\.onnx', the file of .*, has no hash"):
        load_bundle(path)


def test_a_pipe_in_place_of_a_file_is_not_waited_for(make_bundle):
    path = make_bundle()
    (path / "model.fp32.onnx").unlink()
    os.mkfifo(path / "model.fp32.onnx")
    with pytest.raises(InputError, match="is not a file"):
        load_bundle(path)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "", "null", "[]", "\x00"])
def test_what_is_no_manifest_is_one_line(tmp_path, text):
    path = tmp_path / "b.edgecl"
    path.mkdir()
    (path / MANIFEST).write_text(text)
    with pytest.raises(InputError, match=MANIFEST):
        load_bundle(path)


def test_a_name_longer_than_any_is_one_line():
    with pytest.raises(InputError, match="too long"):
        load_bundle(Path("x" * 5000))


def test_labels_that_are_no_text_are_refused(make_bundle):
    path = make_bundle()
    contract = json.loads((path / MANIFEST).read_text())["contract"]
    rewrite(path, contract=contract | {"labels": [1, 2, 3]})
    with pytest.raises(InputError, match="a label is not a string"):
        load_bundle(path)


def test_what_a_terminal_would_obey_is_shown_instead(make_bundle, capfd):
    path = make_bundle(labels=("\x1b[2Jgone", "[/red]", "c\nd"), pass_labels=())
    assert edgecl(["inspect", str(path)]) == 0
    text = capfd.readouterr().out
    assert "\x1b" not in text
    assert r"labels: \x1b[2Jgone, [/red], c\nd" in text


def test_a_name_that_is_not_utf8_has_a_digest(make_bundle, tmp_path):
    path = make_bundle(tmp_path / os.fsdecode(b"line\xff.edgecl"))
    rewrite(path, name=os.fsdecode(b"line\xff"))
    assert load_bundle(path).manifest.name == "line\udcff"


def test_a_bundle_may_be_named_by_text(make_bundle):
    bundle = make_bundle()
    assert load_bundle(str(bundle)) == load_bundle(bundle)
