"""The documents that edgecl writes as JSON: typed, numbered, written whole and read with care.

Each is a frozen class beside the room that owns it. Its JSON Schema stands in docs/schemas.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import msgspec

from runtime.errors import InputError
from runtime.files.atomic import write_text

_MISSING = re.compile(r"missing required field `(.+?)`(?: - at `\$\.?(.*)`)?")
_WRONG = re.compile(r"(.+?)(?: - at `\$\.?(.*)`)?")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """An object inside a document."""


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the documents; each has a field `schema`.

    Attributes:
        WHAT: the document in words, with its article, for errors.
        REMEDY: what to do where one cannot be read.
        NEWEST: the highest `schema` that is read.
        UNNUMBERED: whether files without `schema`, from before it was written, count as 1.
    """

    WHAT: ClassVar[str]
    REMEDY: ClassVar[str]
    NEWEST: ClassVar[int] = 1
    UNNUMBERED: ClassVar[bool] = False

    @classmethod
    def newest_form(cls, value: dict[str, Any]) -> dict[str, Any]:
        """Return the parsed JSON of any schema up to `NEWEST` as one of the newest."""
        return value


D = TypeVar("D", bound=Document)


def plain(document: Document | Part) -> dict[str, Any]:
    """Return a document as dictionaries, lists and scalars."""
    # Through lists, not tuples: what is printed is then the same as what is read back.
    value: dict[str, Any] = msgspec.to_builtins(document, enc_hook=_scalar)
    return value


def to_text(document: Document) -> str:
    """Return a document as indented JSON, without a line feed at the end."""
    return json.dumps(plain(document), indent=2, ensure_ascii=False)


def write_document(path: Path, document: Document) -> None:
    """Write a document as indented JSON, whole or not at all.

    Lone surrogates, as in file names that are not UTF-8, are written as JSON's escapes.

    Raises:
        InputError: it cannot be written.
    """
    write_text(path, f"{to_text(document)}\n".encode(errors="backslashreplace").decode())


def write_lines(path: Path, documents: Iterable[Document]) -> None:
    """Write a document per line, all of them or none.

    Raises:
        InputError: the file cannot be written.
    """
    write_text(path, "".join(f"{json.dumps(plain(document))}\n" for document in documents))


def read_document(path: Path, kind: type[D]) -> D:
    """Read a document back.

    Raises:
        InputError: the file cannot be read, or is no such document.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
        raise InputError(
            f"{path} cannot be read as {kind.WHAT} ({reason})", hint=kind.REMEDY
        ) from error
    return parse_document(value, kind, where=str(path))


def read_lines(path: Path, kind: type[D]) -> list[D]:
    """Read a file that holds a document on every line.

    Raises:
        InputError: the file cannot be read, or a line is no such document.
    """
    where = str(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        values = []
        for number, line in enumerate(lines, start=1):
            where = f"{path}, line {number},"
            values.append((json.loads(line), where))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
        raise InputError(
            f"{where} cannot be read as {kind.WHAT} ({reason})", hint=kind.REMEDY
        ) from error
    return [parse_document(value, kind, where=where) for value, where in values]


def parse_document(value: Any, kind: type[D], *, where: str) -> D:
    """Turn parsed JSON into a document; keys that are not known are left out.

    Args:
        where: the file, for errors.

    Raises:
        InputError: no such document, one of a newer schema, or a key that is missing or of
            another type.
    """
    if not isinstance(value, dict):
        raise InputError(f"{where} is not {kind.WHAT}: it is not a JSON object", hint=kind.REMEDY)
    if kind.UNNUMBERED:
        value = {"schema": 1, **value}
    schema = value.get("schema")
    if type(schema) is not int:
        raise InputError(f"{where} is not {kind.WHAT}: its schema has no number", hint=kind.REMEDY)
    if schema > kind.NEWEST:
        raise InputError(
            f"{where} has schema {schema}, but this edgecl reads {kind.WHAT} up to schema "
            f"{kind.NEWEST}",
            hint="update edgecl on this machine",
        )
    try:
        return msgspec.convert(kind.newest_form(value), kind)
    except msgspec.ValidationError as error:
        raise malformed(where, _problem(str(error)), kind) from error


def malformed(where: str, problem: str, kind: type[Document]) -> InputError:
    """The error for a document that parses, and that edgecl would not have written."""
    return InputError(f"{where} is malformed: {problem}", hint=kind.REMEDY)


def _problem(text: str) -> str:
    """Return what is wrong at which key, from the text of a validation."""
    missing = _MISSING.search(text)
    if missing:
        name, place = missing.groups()
        return f"it lacks the field '{f'{place}.' if place else ''}{name}'"
    wrong = _WRONG.fullmatch(text)
    what, place = wrong.groups() if wrong else (text, None)
    what = what.replace("`", "")
    what = f"{what[:1].lower()}{what[1:]}"
    return f"{what} in '{place}'" if place else what


def _scalar(value: Any) -> Any:
    """A number of a subclass, as NumPy's float64, as the number it is."""
    for kind in (float, int, str):
        if isinstance(value, kind):
            return kind(value)
    raise NotImplementedError(f"{type(value).__name__} is not a JSON value")
