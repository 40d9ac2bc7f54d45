"""The tables `[[cameras]]` of a configuration: several cameras, each with keys of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from edgecl.cli.run.cameras import NAME, OWN_CHOICES, require_distinct
from edgecl.cli.run.config.keys import KEYS, KeyPath
from runtime.errors import InputError

CAMERAS = "cameras"
NAME_KEY, SOURCE_KEY = "name", "source"

OWN_KEYS: Mapping[str, str] = {KEYS[name][1]: name for name in OWN_CHOICES}
"""The parameters that a camera may have of its own, by key."""


class Fail(Protocol):
    """Raises the InputError about a key."""

    def __call__(self, key: KeyPath, problem: str, hint: str) -> NoReturn: ...


@dataclass
class CameraTables:
    """The cameras of a file.

    Args:
        texts: NAME=SOURCE of each, as `--camera` takes them.
        own: the values that a camera has itself, by its name and then by parameter.
        keys: the path of each camera's table, by its name.
    """

    texts: list[str] = field(default_factory=list)
    own: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, KeyPath] = field(default_factory=dict)


def read_cameras(
    content: Any, value_of: Callable[[str, KeyPath, Any], Any], fail: Fail
) -> CameraTables:
    """Read and check the tables.

    Args:
        content: what TOML has under `cameras`.
        value_of: checks a value: by parameter, place and value.
        fail: raises the error about a key.

    Raises:
        InputError: no tables, or one that is no camera.
    """
    example = 'write [[cameras]] with name = "left" and source = "0"'
    if not isinstance(content, list) or not all(isinstance(table, dict) for table in content):
        fail((CAMERAS,), "is not a list of tables", example)
    if not content:
        fail((CAMERAS,), "is empty", example)
    found = CameraTables()
    named: list[tuple[str, str]] = []
    for number, table in enumerate(content, start=1):
        place = f"{CAMERAS}[{number}]"
        for key in (NAME_KEY, SOURCE_KEY):
            if key not in table:
                fail((place,), f"has no {key}", example)
        name = table[NAME_KEY]
        if not isinstance(name, str) or NAME.fullmatch(name) is None:
            fail(
                (place, NAME_KEY),
                f"{name!r} is not a name for a camera",
                "use up to 32 letters, digits, - and _, a letter first",
            )
        source = value_of("source", (place, SOURCE_KEY), table[SOURCE_KEY])
        named.append((name, source))
        try:
            require_distinct(named)
        except InputError as error:
            fail((place,), error.problem, error.hint)
        found.texts.append(f"{name}={source}")
        found.keys[name] = (place,)
        found.own[name] = {}
        for key, value in table.items():
            if key in OWN_KEYS:
                found.own[name][OWN_KEYS[key]] = value_of(OWN_KEYS[key], (place, key), value)
            elif key not in (NAME_KEY, SOURCE_KEY):
                known = ", ".join((NAME_KEY, SOURCE_KEY, *OWN_KEYS))
                fail((place, key), "is not a key of a camera", f"the keys are {known}")
    return found
