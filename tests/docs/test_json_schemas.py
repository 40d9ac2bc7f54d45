"""The JSON Schemas are those of the code, and no document is left out."""

from __future__ import annotations

import pytest

from docs.json_schemas import DOCUMENTS, FOLDER, schema_text
from runtime.files.document import Document


def kinds_of(base: type[Document]) -> set[type[Document]]:
    return {kind for one in base.__subclasses__() for kind in {one, *kinds_of(one)}}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_schema_is_what_the_code_generates(name):
    written = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert written == schema_text(DOCUMENTS[name]), "run: python -m docs.json_schemas"


def test_no_schema_is_of_a_document_that_is_gone():
    assert {path.stem for path in FOLDER.iterdir()} == set(DOCUMENTS)


def test_every_document_has_a_schema_and_a_number():
    ours = {kind for kind in kinds_of(Document) if not kind.__module__.startswith("tests.")}
    assert ours == set(DOCUMENTS.values())
    for kind in ours:
        assert "schema" in kind.__struct_fields__, kind
        assert kind.WHAT
        assert kind.REMEDY
