"""`edgecl inspect`: the stable JSON, the table, and a bundle that was changed."""

from __future__ import annotations

import json

import pytest

from edgecl.cli.shell import run as edgecl
from runtime.bundle import MANIFEST, manifest_digest


def amend(bundle, **changes):
    manifest = json.loads((bundle / MANIFEST).read_text()) | changes
    manifest["digest"] = manifest_digest(manifest)
    (bundle / MANIFEST).write_text(json.dumps(manifest))
    return bundle


def test_the_stable_names(make_bundle, capfd):
    bundle = amend(
        make_bundle(precisions=("fp32", "fp16")),
        refused={"int8": {"reason": "accuracy fell by 2.1 points"}},
        origin={"run": "runs/night", "encoder": "shufflenet", "parameters": 1_260_000},
    )
    assert edgecl(["inspect", str(bundle), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert list(found["precisions"]) == ["fp32", "fp16"]
    names = {"accuracy", "max_abs_diff", "agreement", "bytes", "test_accuracy", "file"}
    assert names <= set(found["precisions"]["fp32"])
    assert found["labels"] == ["dark", "middle", "bright"]
    assert found["pass_labels"] == ["bright"]
    assert (found["input"]["height"], found["input"]["width"]) == (32, 48)
    assert found["refused"]["int8"]["reason"] == "accuracy fell by 2.1 points"
    assert found["origin"]["run"] == "runs/night"
    assert len(found["files"]["model.fp32.onnx"]["sha256"]) == 64
    assert found["verified"] is True


def test_the_table_for_people(make_bundle, capfd):
    bundle = amend(make_bundle(labels=("[red]a", "b"), pass_labels=()), refused={"int8": {}})
    assert edgecl(["inspect", str(bundle)]) == 0
    text = capfd.readouterr().out
    for part in ("every hash verified", "fp32", "[red]a, b", "refused at export: int8", "32x48"):
        assert part in text


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_changed_byte_is_refused(make_bundle, capfd, options):
    bundle = make_bundle()
    model = bundle / "model.fp32.onnx"
    data = bytearray(model.read_bytes())
    data[-1] ^= 1
    model.write_bytes(data)
    assert edgecl(["inspect", str(bundle), *options]) == 2
    captured = capfd.readouterr()
    assert "model.fp32.onnx was changed after the export" in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_no_bundle(tmp_path, capfd):
    assert edgecl(["inspect", str(tmp_path / "none.edgecl")]) == 2
    assert "there is no bundle" in capfd.readouterr().err
