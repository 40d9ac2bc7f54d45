"""Bundles whose contract is older than regions, flat-fields and tiles: they still judge alike."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from edgecl.cli.shell import run
from runtime.artifact.bundle import MANIFEST, file_digest, manifest_digest
from runtime.artifact.contract import METADATA_KEY

LATER = {1: ("bits", "tiling", "roi", "flat"), 2: ("tiling", "roi", "flat"), 3: ("roi", "flat")}
"""Fields of the input that a contract of each schema did not have yet."""


def grow_old(bundle: Path, schema: int) -> None:
    """Take from a bundle's contract what its schema did not have."""
    manifest = json.loads((bundle / MANIFEST).read_text())
    contract = manifest["contract"]
    contract["schema"] = schema
    for name in LATER[schema]:
        contract["input"].pop(name, None)
    for name, entry in manifest["files"].items():
        model = onnx.load(bundle / name)
        (stored,) = (one for one in model.metadata_props if one.key == METADATA_KEY)
        stored.value = json.dumps(contract)
        onnx.save(model, bundle / name)
        entry.update(sha256=file_digest(bundle / name), bytes=(bundle / name).stat().st_size)
    manifest["digest"] = manifest_digest(manifest)
    (bundle / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("schema", LATER)
def test_a_bundle_of_an_old_contract_still_judges(tmp_path, make_bundle, capsys, schema):
    bundle = make_bundle()
    grow_old(bundle, schema)
    for label, level in (("dark", 40), ("bright", 215)):
        (tmp_path / "parts" / label).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "parts" / label / "0.png"), np.full((40, 60), level, np.uint8))
    command = ["run", "--model", str(bundle), "--camera", str(tmp_path / "parts")]
    out = ["--engine", "onnxruntime", "--out", str(tmp_path / "o"), "--json"]
    assert run([*command, *out]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == {
        "right": 2,
        "known": 2,
        "share": 1.0,
    }
