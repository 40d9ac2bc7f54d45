"""`edgecl inspect`: the stable JSON, the table, and a bundle that was changed."""

from __future__ import annotations

import json

import pytest

from edgecl.cli.shell import run as edgecl
from runtime.artifact.bundle import MANIFEST, manifest_digest


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
    for part in ("all hashes verified", "fp32", "[red]a, b", "refused at export: int8", "32x48"):
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
    assert "model.fp32.onnx was changed after export" in captured.err
    assert captured.err.count("\n") == 1
    if options:
        assert json.loads(captured.out)["error"]["code"] == "input"
    else:
        assert captured.out == ""


def test_no_bundle(tmp_path, capfd):
    assert edgecl(["inspect", str(tmp_path / "none.edgecl")]) == 2
    assert "no bundle" in capfd.readouterr().err


MEASURED = {
    "caught": 240,
    "escapes": 3,
    "escape_rate": 0.0125,
    "escape_interval": [0.0043, 0.0361],
    "mcnemar_p": 0.25,
}


def test_what_the_gate_measured_and_what_was_done_to_the_graph(make_bundle, capfd):
    bundle = amend(
        make_bundle(precisions=("fp32", "int8")),
        gate={
            "max_drop": 0.5,
            "max_escapes": 2.0,
            "validation_images": 270,
            "comparisons": {"int8": MEASURED},
        },
        rewrites=["gray-input", "shuffle-free"],
        calibration={"algorithm": "entropy", "images": 64, "kept": ["classifier.0"]},
    )
    assert edgecl(["inspect", str(bundle)]) == 0
    text = " ".join(capfd.readouterr().out.split())
    for part in (
        "gate: at most 0.5 points of accuracy and 2% escapes, on 270 validation images",
        "3/240 3.6%",
        "calibrated: entropy, 64 images, kept in floating point: classifier.0",
        "rewrites: gray-input, shuffle-free",
        "signature: none",
    ):
        assert part in text
    assert edgecl(["inspect", str(bundle), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["rewrites"] == ["gray-input", "shuffle-free"]
    assert found["gate"]["comparisons"]["int8"]["escapes"] == 3


def test_files_that_no_hash_covers_are_named(make_bundle, capfd):
    bundle = make_bundle()
    for name in ("[red]notes.txt", "engines/a.engine", "deep/b.bin"):
        (bundle / name).parent.mkdir(exist_ok=True)
        (bundle / name).write_text("x")
    (bundle / "signature.json").write_text("half")
    assert edgecl(["inspect", str(bundle), "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["unnamed"] == ["[red]notes.txt", "deep/b.bin"]
    assert found["signature"] == {"state": "damaged", "key": None}
    assert edgecl(["inspect", str(bundle)]) == 0
    text = capfd.readouterr().out
    assert "not verified: [red]notes.txt" in text
    assert "signature: damaged" in text


def test_the_state_of_the_signature(make_bundle, tmp_path, capfd):
    pytest.importorskip("cryptography", reason="signatures are an extra: edgecl[sign]")
    from export.bundle.signing import load_signing_key, write_key_pair, write_signature
    from runtime.artifact.bundle import load_bundle

    bundle = make_bundle()
    private, public, fingerprint = write_key_pair(tmp_path / "line")
    write_signature(bundle, load_bundle(bundle).manifest.digest, load_signing_key(private))
    for options, state in (([], "unchecked"), (["--verify-key", str(public)], "verified")):
        assert edgecl(["inspect", str(bundle), "--json", *options]) == 0
        found = json.loads(capfd.readouterr().out)
        assert found["signature"] == {"state": state, "key": fingerprint}
        assert found["unnamed"] == []
