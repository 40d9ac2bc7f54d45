"""Reading of the file behind `--config`: each key checked, with its line in every message."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from edgecl.cli.options import NONE, Checked
from edgecl.cli.run.config.camera_tables import CAMERAS, CameraTables, read_cameras
from edgecl.cli.run.config.keys import (
    GLOBAL,
    KEYS,
    OR_NONE,
    PAIRED,
    PATHS,
    KeyPath,
    keys_of,
    tables,
)
from edgecl.cli.run.config.kinds import as_list, as_table, is_number, kind_of, wanted_by
from edgecl.cli.run.config.lines import first_duplicate, first_with_null, lines_by_path
from edgecl.cli.run.config.recipe_tables import RECIPES, RecipeTables, read_recipes
from edgecl.cli.run.config.sources import source_beside
from runtime.errors import EdgeclError, InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")


@dataclass(frozen=True)
class Config:
    """The values of a file, and where they stand.

    Args:
        values: what the options take, by parameter.
        places: FILE:LINE and key of each, by parameter; of one pair by `PARAMETER=NAME`.
        cameras: values that one of several cameras has of its own, by its name.
        recipes: rules that a recipe has of its own, by its id.
    """

    values: Mapping[str, Any]
    places: Mapping[str, str]
    cameras: Mapping[str, Mapping[str, Any]]
    recipes: Mapping[str, Mapping[str, Any]]


def load_config(path: Path, context: click.Context) -> Config:
    """Read and check a configuration.

    Args:
        path: a TOML file; its relative paths belong to its folder.
        context: of the command, whose options say what values they take.

    Raises:
        InputError: it cannot be read, or is not TOML; or a key is unknown, is there twice, or has
            a value that its option does not take. The line and the key are named.
    """
    text = _read(path)
    return _Reader(path, text, context).read(_parse(path, text))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a configuration as it was written, unchecked.

    Raises:
        InputError: it cannot be read, or is not TOML.
    """
    return _parse(path, _read(path))


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"--config {path} cannot be read: {error.strerror or error}", hint="pass a TOML file"
        ) from error
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: not UTF-8", hint="save the file as UTF-8") from None


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        twice = first_duplicate(text)
        if twice is not None:
            key, line, first = twice
            raise InputError(
                f"{path}:{line}: {'.'.join(key)} is there twice (first on line {first})",
                hint="keep one of them",
            ) from None
        found = _PLACE.search(str(error))
        line_number = found["line"] if found and found["line"] else text.rstrip().count("\n") + 1
        reason = _PLACE.sub("", str(error))
        raise InputError(
            f"{path}:{line_number}: not valid TOML ({reason})",
            hint="text stands in quotes, and each key on a line of its own",
        ) from None


class _Reader:
    def __init__(self, path: Path, text: str, context: click.Context) -> None:
        self._path = path
        self._lines = lines_by_path(text)
        self._context = context
        self._options = {
            str(option.name): option
            for option in context.command.params
            if isinstance(option, click.Option)
        }
        self._values: dict[str, Any] = {}
        self._places: dict[str, str] = {}
        self._cameras = CameraTables()
        self._recipes = RecipeTables()

    def read(self, document: Mapping[str, Any]) -> Config:
        if (key := first_with_null(document)) is not None:
            self._fail(key, "has the character 0 in it", "remove it: no name and no address has it")
        for table, content in document.items():
            if table == RECIPES:
                self._take_recipes(content)
            elif (table,) in KEYS.values():
                self._take(table, (table,), content)
            elif table == CAMERAS:
                self._take_cameras(content, document)
            elif table not in tables():
                self._unknown((table,))
            elif not isinstance(content, dict):
                self._fail(
                    (table,), f"is {kind_of(content)}, not a table", as_table(table, content)
                )
            else:
                known = keys_of(table)
                for key, value in content.items():
                    if key not in known:
                        self._unknown((table, key))
                    self._take(known[key], (table, key), value)
        return Config(self._values, self._places, self._cameras.own, self._recipes.own)

    def _take_cameras(self, content: Any, document: Mapping[str, Any]) -> None:
        one = document.get("camera")
        if isinstance(one, dict) and "camera" in one:
            self._fail(("camera", "camera"), f"stands beside [[{CAMERAS}]]", "keep one of the two")
        self._cameras = read_cameras(content, self._value_of, self._fail)
        self._values["source"] = self._cameras.texts
        self._places["source"] = self._place((CAMERAS,))
        for name, key in self._cameras.keys.items():
            self._places[f"source={name}"] = self._place(key)

    def _take_recipes(self, content: Any) -> None:
        places = dict(self._places)
        self._recipes = read_recipes(content, self._taken, self._fail)
        self._places = {**places, "recipe": self._place((RECIPES,))}
        self._values["recipe"] = self._recipes.texts

    def _take(self, name: str, key: KeyPath, value: Any) -> None:
        self._places[name] = self._place(key)
        self._values[name] = self._taken(name, key, value)

    def _taken(self, name: str, key: KeyPath, value: Any) -> Any:
        """The value of a key, as the file has it, as the option's parameter has it."""
        option = self._options[name]
        if name in PAIRED and isinstance(value, dict):
            texts = [self._pair(option, key, entry, given) for entry, given in value.items()]
            return texts if option.multiple else ",".join(texts)
        if name in PAIRED:
            self._require_pairs(name, key, value)
        if name in PAIRED and option.multiple:
            value = [self._pair(option, key, GLOBAL, value)]
        elif option.multiple and name != "source":
            if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
                self._fail(
                    key, f"is {kind_of(value)}, not a list of texts", as_list(key[-1], value)
                )
            value = [self._converted(option, key, entry) for entry in value]
        else:
            value = self._value_of(name, key, value)
        return [value] if name == "source" else value

    def _require_pairs(self, name: str, key: KeyPath, value: Any) -> None:
        """Refuse a value that stands where a table from name to value belongs.

        A budget may be a text as on the command line, and a threshold one number for all labels.
        """
        hint = as_table(".".join(key), value)
        if name == "unsure_below":
            if not is_number(value):
                told = f"is {kind_of(value)}, neither a number nor a table"
                self._fail(key, told, f"write {key[-1]} = 0.8 for all labels, or {hint[6:]}")
        elif name != "budget" or not isinstance(value, str) or "=" not in value:
            self._fail(key, f"is {kind_of(value)}, not a table", hint)

    def _value_of(self, name: str, key: KeyPath, value: Any) -> Any:
        """One value as its option takes it."""
        option = self._options[name]
        if name == "settings":
            if not isinstance(value, dict):
                self._fail(key, f"is {kind_of(value)}, not a table", as_table(".".join(key), value))
            return tuple(self._pair(option, key, entry, given) for entry, given in value.items())
        value = self._ofkind_of(option, key, value)
        if name in PATHS and not value:
            self._fail(key, "is empty", "name a file or folder, or leave the key out")
        if name in PATHS and not (name in OR_NONE and value == NONE):
            value = self._path.parent / value
        elif name == "source":
            value = source_beside(value, self._path.parent)
        return self._converted(option, key, value)

    def _pair(self, option: click.Option, key: KeyPath, name: str, value: Any) -> str:
        """One entry of a table as the option takes it."""
        whole = (*key, name) if (*key, name) in self._lines else key
        self._places[f"{option.name}={name}"] = self._place(whole)
        if option.name == "settings":
            if not isinstance(value, (bool, str)) and not is_number(value):
                hint = f'write {name} = 500, or {name} = "Off"'
                self._fail(whole, f"is {kind_of(value)}, not a number or a text", hint)
            text = f"{name}={str(value).lower() if isinstance(value, bool) else value}"
        elif option.multiple:
            if not is_number(value):
                self._fail(
                    whole, f"is {kind_of(value)}, not a number", "use a number without quotes"
                )
            text = str(value) if name == GLOBAL else f"{name}={value}"
        else:
            if not isinstance(value, str):
                self._fail(whole, f"is {kind_of(value)}, not a text", f'write {name} = "20ms"')
            text = f"{name}={value}"
        return str(self._converted(option, whole, text))

    def _ofkind_of(self, option: click.Option, key: KeyPath, value: Any) -> Any:
        """The value, if its type is the option's."""
        if option.name == "source" and type(value) is int:
            return str(value)
        fits, wanted, hint = wanted_by(option)
        if not fits(value):
            self._fail(key, f"is {kind_of(value)}, not {wanted}", hint)
        return value

    def _converted(self, option: click.Option, key: KeyPath, value: Any) -> Any:
        try:
            if isinstance(option.type, Checked):
                option.type.check(value)
            return option.type(value, option, self._context)
        except click.BadParameter as error:
            self._fail(key, error.message.rstrip("."), f"see --{option.opts[-1].strip('-')}")
        except EdgeclError as error:
            self._fail(key, error.problem, error.hint)

    def _unknown(self, key: KeyPath) -> NoReturn:
        near = _nearest(key)
        where = f"the keys of [{key[0]}] are {', '.join(keys_of(key[0]))}"
        if key[0] not in tables():
            where = f"the tables are {', '.join((*tables(), CAMERAS))}"
        self._fail(key, "is not a key", f"did you mean {near}?" if near else where)

    def _place(self, key: KeyPath) -> str:
        line = (
            self._lines.get(key) or self._lines.get(key[:1]) or self._lines.get((f"{key[0]}[1]",))
        )
        return f"{self._path}:{line or 1}: {'.'.join(key)}"

    def _fail(self, key: KeyPath, problem: str, hint: str) -> NoReturn:
        colon = "" if problem.startswith(("is ", "has ", "stands ")) else ":"
        raise InputError(f"{self._place(key)}{colon} {problem}", hint=hint)


def _nearest(key: KeyPath) -> str:
    """The known key that is most like an unknown one; the same name in another table goes first."""
    known = {".".join(path): path[-1] for path in _all_keys() if len(path) >= len(key)}
    for whole, last in known.items():
        if len(key) > 1 and whole == f"{key[0]}.{last}" and last.endswith(f"-{key[-1]}"):
            return whole  # [check] parts is meant as check-parts
    close = difflib.get_close_matches(key[-1], known.values(), 1)
    return next((whole for whole, last in known.items() if close and last == close[0]), "")


def _all_keys() -> Iterator[KeyPath]:
    yield from ((table,) for table in (*tables(), CAMERAS))
    yield from (path for path in KEYS.values() if len(path) > 1)
