"""The tables of docs/machine.md are those of the code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from docs.check import ROOT
from runtime.stream.plc.registers import (
    FROM_EDGECL,
    PLC_READS,
    PLC_WRITES,
    REASONS,
    RECIPE_ANSWERS,
    TO_EDGECL,
    VERDICT_CODES,
    RegisterField,
    places,
)


def map_rows(fields: Sequence[RegisterField], base: int) -> list[str]:
    return [
        f"| {place}{f'–{place + field.words - 1}' if field.words > 1 else ''} | `{field.name}` "
        f"| {field.meaning} |"
        for place, field in places(fields, base)
    ]


def code_rows(codes: Iterable[tuple[int, str]]) -> list[str]:
    return [f"| {int(code)} | {text} |" for code, text in codes]


TABLES = {
    "what the PLC writes": map_rows(PLC_WRITES, TO_EDGECL),
    "what the PLC reads": map_rows(PLC_READS, FROM_EDGECL),
    "verdicts": code_rows((code, f"`{status.value}`") for status, code in VERDICT_CODES.items()),
    "reasons": code_rows(REASONS.items()),
    "recipes": code_rows(RECIPE_ANSWERS.items()),
}


@pytest.mark.parametrize("name", list(TABLES))
def test_the_page_has_the_table_of_the_code(name):
    rows = TABLES[name]
    page = (ROOT / "docs" / "machine.md").read_text(encoding="utf-8").splitlines()
    assert rows[0] in page, "\n".join(rows)
    start = page.index(rows[0])
    end = start
    while page[end].startswith("|"):
        end += 1
    assert page[start:end] == rows, "\n".join(rows)
