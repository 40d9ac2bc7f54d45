"""Documents: written whole, read back the same, and refused by key where they are not theirs."""

from __future__ import annotations

import json
from typing import ClassVar, Literal

import numpy as np
import pytest

from runtime.errors import InputError
from runtime.files.document import (
    Document,
    Part,
    parse_document,
    plain,
    read_document,
    read_lines,
    write_document,
    write_lines,
)


class Inner(Part, frozen=True, kw_only=True):
    share: float
    names: tuple[str, ...] = ()


class Sample(Document, frozen=True, kw_only=True):
    WHAT: ClassVar[str] = "a sample"
    REMEDY: ClassVar[str] = "make another sample"

    schema: Literal[1] = 1
    count: int
    inner: Inner
    by_name: dict[str, Inner] = {}


class Unnumbered(Sample, frozen=True, kw_only=True):
    UNNUMBERED: ClassVar[bool] = True


SAMPLE = Sample(count=3, inner=Inner(share=0.5, names=("a", "\udcff")))


def test_what_is_read_is_what_was_written(tmp_path):
    path = tmp_path / "deep" / "sample.json"
    write_document(path, SAMPLE)
    assert read_document(path, Sample) == SAMPLE
    assert [entry.name for entry in path.parent.iterdir()] == ["sample.json"]


def test_lines_too(tmp_path):
    path = tmp_path / "lines.jsonl"
    write_lines(path, [SAMPLE, SAMPLE])
    assert read_lines(path, Sample) == [SAMPLE, SAMPLE]


def test_numbers_of_numpy_are_written_as_the_numbers_they_are():
    sample = Sample(count=3, inner=Inner(share=np.float64(0.25)))
    assert json.loads(json.dumps(plain(sample)))["inner"]["share"] == 0.25


def test_keys_that_are_not_known_are_left_out():
    assert parse_document({**plain(SAMPLE), "later": 1}, Sample, where="here") == SAMPLE


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"count": "3"}, "here is malformed: expected int, got str in 'count'"),
        ({"count": 3.5}, "expected int, got float in 'count'"),
        ({"count": True}, "expected int, got bool in 'count'"),
        ({"inner": {}}, "it lacks the field 'inner.share'"),
        (
            {"inner": {"share": 1, "names": ["a", 2]}},
            r"expected str, got int in 'inner.names\[1\]'",
        ),
        ({"inner": []}, "expected object, got array in 'inner'"),
        (
            {"by_name": {"x": {"share": None}}},
            r"expected float, got null in 'by_name\[...\].share'",
        ),
        ({"schema": 2}, "here has schema 2, but this edgecl reads a sample up to schema 1"),
        ({"schema": "1"}, "here is not a sample"),
        ({"schema": 0}, "malformed"),
    ],
)
def test_another_form_is_refused_with_the_file_the_key_and_what_was_expected(change, problem):
    value = json.loads(json.dumps({**plain(SAMPLE), **change}))
    with pytest.raises(InputError, match=problem):
        parse_document(value, Sample, where="here")


@pytest.mark.parametrize("value", [None, [], 3, "text", {}])
def test_what_is_no_document_is_refused(value):
    with pytest.raises(InputError, match="here is not a sample"):
        parse_document(value, Sample, where="here")


@pytest.mark.parametrize("text", [None, "", "{", "[" * 100_000, "\x00"])
def test_a_file_that_is_missing_or_broken_is_named(tmp_path, text):
    path = tmp_path / "sample.json"
    if text is not None:
        path.write_text(text)
    for read in (read_document, read_lines):
        if text == "" and read is read_lines:
            continue  # a file of no lines
        with pytest.raises(
            InputError, match=r"sample\.json.* cannot be read as a sample"
        ) as caught:
            read(path, Sample)
        assert caught.value.hint == "make another sample"


def test_a_line_that_is_broken_is_numbered(tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_text(json.dumps(plain(SAMPLE)) + "\n{")
    with pytest.raises(InputError, match=r"lines\.jsonl, line 2, cannot be read"):
        read_lines(path, Sample)


def test_files_from_before_there_were_numbers_count_as_the_first_schema():
    value = plain(SAMPLE)
    del value["schema"]
    assert parse_document(value, Unnumbered, where="here").schema == 1
    with pytest.raises(InputError, match="no number"):
        parse_document(value, Sample, where="here")
