"""Lines of the keys in a TOML text, which Python's parser does not tell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from edgecl.cli.run.config.keys import KeyPath

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_PART = re.compile(r"(?P<bare>[A-Za-z0-9_-]+)|(?P<basic>\"(?:[^\"\\\n]|\\.)*\")|'(?P<raw>[^'\n]*)'")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL
)
_PLAIN = re.compile(r"[^\"'\[\]{},#\n]+")


def key_lines(text: str) -> Iterator[tuple[KeyPath, int, bool]]:
    """Yield (path, line, is_table) of each key and each table's heading, in order.

    Args:
        text: TOML; where it is malformed, what stands before is yielded.
    """
    try:
        yield from _Scanner(text).statements()
    except _MalformedError:
        return


def lines_by_path(text: str) -> dict[KeyPath, int]:
    """The first line of each key and table, from 1."""
    found: dict[KeyPath, int] = {}
    for path, line, _ in key_lines(text):
        found.setdefault(path, line)
    return found


def first_duplicate(text: str) -> tuple[KeyPath, int, int] | None:
    """The first key or table that is given twice, with its second and its first line."""
    seen: dict[KeyPath, int] = {}
    for path, line, _ in key_lines(text):
        if path in seen:
            return path, line, seen[path]
        seen[path] = line
    return None


class _MalformedError(Exception):
    """No TOML from here on."""


def first_with_null(value: Any, path: KeyPath = ()) -> KeyPath | None:
    """Return the place of the first key or text with the character 0; None where there is none.

    Args:
        value: what TOML has there.
        path: where that is.
    """
    if isinstance(value, dict):
        for key, entry in value.items():
            if "\0" in key:
                return path or (key,)
            if (found := first_with_null(entry, (*path, key))) is not None:
                return found
    elif isinstance(value, list):
        return next((p for entry in value if (p := first_with_null(entry, path))), None)
    elif isinstance(value, str) and "\0" in value:
        return path
    return None


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counts: dict[KeyPath, int] = {}

    def statements(self) -> Iterator[tuple[KeyPath, int, bool]]:
        table: KeyPath = ()
        while True:
            self._skip(_BLANK)
            if self._at >= len(self._text):
                return
            line = self._line()
            if self._take("["):
                array = self._take("[")
                table = self._key()
                self._expect("]]" if array else "]")
                table = self._counted(table) if array else self._inside(table)
                yield table, line, True
            else:
                yield from self._pair(table)

    def _pair(self, table: KeyPath) -> Iterator[tuple[KeyPath, int, bool]]:
        line = self._line()
        path = (*table, *self._key())
        self._expect("=")
        yield path, line, False
        yield from self._value(path)

    def _counted(self, array: KeyPath) -> KeyPath:
        """The path of an array's next table: `cameras[2]` for the second of `cameras`."""
        count = self._counts[array] = self._counts.get(array, 0) + 1
        return (*array[:-1], f"{array[-1]}[{count}]")

    def _inside(self, table: KeyPath) -> KeyPath:
        """The path of a table, which may be of an array's latest one."""
        count = self._counts.get(table[:1])
        return table if count is None else (f"{table[0]}[{count}]", *table[1:])

    def _value(self, path: KeyPath) -> Iterator[tuple[KeyPath, int, bool]]:
        self._skip(_SPACE)
        if self._take("{"):
            self._skip(_BLANK)
            while not self._take("}"):
                yield from self._pair(path)
                self._skip(_BLANK)
                if not self._take(","):
                    self._expect("}")
                    return
                self._skip(_BLANK)
        elif self._take("["):
            self._skip(_BLANK)
            while not self._take("]"):
                for _ in self._value(()):  # keys inside a list have no path
                    pass
                self._skip(_BLANK)
                if not self._take(","):
                    self._expect("]")
                    return
                self._skip(_BLANK)
        elif not self._skip(_STRING) and not self._skip(_PLAIN):
            raise _MalformedError

    def _key(self) -> KeyPath:
        parts = []
        while True:
            self._skip(_SPACE)
            match = _PART.match(self._text, self._at)
            if match is None:
                raise _MalformedError
            self._at = match.end()
            parts.append(match["bare"] or _unquoted(match))
            self._skip(_SPACE)
            if not self._take("."):
                return tuple(parts)

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self._text, self._at)
        if match is None or match.end() == self._at:
            return False
        self._at = match.end()
        return True

    def _take(self, sign: str) -> bool:
        found = self._text.startswith(sign, self._at)
        self._at += len(sign) if found else 0
        return found

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise _MalformedError

    def _line(self) -> int:
        return self._text.count("\n", 0, self._at) + 1


def _unquoted(match: re.Match[str]) -> str:
    if match["basic"] is None:
        return str(match["raw"] or "")
    try:
        return str(json.loads(match["basic"]))
    except ValueError:  # an escape that JSON has not, as \U0001F600
        return match["basic"][1:-1]
