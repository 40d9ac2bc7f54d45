"""The fields and samples of docs/artefacts.md are those of the documents that edgecl writes."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from docs import check
from docs.json_schemas import DOCUMENTS
from docs.markdown import anchor_of, read_page
from runtime.artifact.contract import ModelContract

PAGE = check.ROOT / "docs" / "artefacts.md"
SECTIONS = {
    "resultjson": "run-result",
    "summaryjson": "stream-summary",
    "latency-report": "latency-report",
    "edgecl-compare---json": "latency-comparison",
}


def fields_of(section: str) -> list[str]:
    """The names in the first column of the section's table."""
    found, inside = [], False
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            inside = anchor_of(line.lstrip("# ")) == section
        elif inside and line.startswith("| `"):
            found += re.findall(r"`([\w.]+)`", line.split("|")[1])
    return found


@pytest.mark.parametrize(("section", "document"), SECTIONS.items())
def test_the_fields_exist(section, document):
    named = fields_of(section)
    known = {field.name for field in msgspec.structs.fields(DOCUMENTS[document])}
    assert len(named) >= 4
    assert set(named) <= known


def test_every_schema_is_linked():
    linked = {target for _, target in read_page(PAGE).links}
    assert {f"schemas/{name}.json" for name in DOCUMENTS} <= linked


def test_the_samples_are_read():
    samples = {block.info: block.code for block in read_page(PAGE).blocks if "json" in block.info}
    assert set(samples) == {"json verdict-line", "json heat-map-line", "json contract"}
    for name in ("verdict-line", "heat-map-line"):
        line = msgspec.json.decode(samples[f"json {name}"], type=DOCUMENTS[name])
        assert msgspec.json.decode(msgspec.json.encode(line)) == json.loads(samples[f"json {name}"])
    contract = json.loads(samples["json contract"])
    assert ModelContract.from_json(contract, where="the page").to_json() == contract
