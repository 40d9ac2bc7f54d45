"""Configuration of a stream as TOML: what `--print-config` prints and a stream's folder keeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgecl.cli.options import NONE
from edgecl.cli.run.cameras import CameraChoice
from edgecl.cli.run.config.camera_tables import CAMERAS, NAME_KEY, OWN_KEYS, SOURCE_KEY
from edgecl.cli.run.config.keys import GLOBAL, KEYS, OR_NONE, PATHS, keys_of, tables
from edgecl.cli.run.config.recipe_tables import RECIPES, recipe_tables
from edgecl.cli.run.recipes.choices import RecipeChoice
from runtime.camera.address import Kind, sort_source
from runtime.errors import EdgeclError, InputError
from runtime.files.atomic import explained, write_new
from runtime.progress import Say
from runtime.secrets import without_passwords

CONFIG = "config.toml"


def config_text(values: Mapping[str, Any], *, with_passwords: bool) -> str:
    """Return all choices as TOML that `--config` takes back.

    Paths become absolute, for the text may be kept anywhere.

    Args:
        with_passwords: whether those in the address of a camera stay. Without one, the camera needs
            a `login-file`.
        values: of the options, by parameter, `cameras`, as `camera_choices` returns them, and
            `recipes`, as `recipe_choices` does.

    Raises:
        InputError: a value has bytes that are not UTF-8, which TOML cannot hold.
    """
    if not with_passwords:
        values = _without_passwords(values)
    lines = [line for table in tables() for line in _table(table, values)]
    text = "\n".join([*lines, *_camera_tables(values["cameras"])])
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(
            "the configuration has a name that is not UTF-8, and TOML cannot hold it",
            hint="rename that file or folder",
        ) from None
    return text.strip() + "\n"


def _without_passwords(values: Mapping[str, Any]) -> Mapping[str, Any]:
    hidden = [replace(each, source=_without_password(each.source)) for each in values["cameras"]]
    return {**values, "cameras": hidden, "source": tuple(each.source for each in hidden)}


def _without_password(text: str) -> str:
    return without_passwords(text) if _stored(text) is None else text


def _table(table: str, values: Mapping[str, Any]) -> Iterator[str]:
    if table == RECIPES:
        recipes = sorted(values["recipes"], key=_in_order(values["recipe"]))
        yield from recipe_tables(recipes, lambda name, value: _toml(_plain(name, value)))
        return
    whole = (table,) in KEYS.values()
    if whole:
        text = values[table]
        yield f"\n[{table}]" if text else f"\n# [{table}] is not set"
        for pair in (text or "").split(","):
            name, equals, value = (part.strip() for part in pair.partition("="))
            if equals:
                yield f"{_key(name)} = {_text(value)}"
        return
    yield f"\n[{table}]"
    several = any(camera.name for camera in values["cameras"])
    for key, name in keys_of(table).items():
        value = _plain(name, () if name == "source" and several else values[name])
        yield f"# {key} is not set" if value is None else f"{key} = {_toml(value)}"


def _in_order(texts: Sequence[str]) -> Callable[[RecipeChoice], int]:
    """Return the place of a recipe among those that were given, whatever one begins."""
    ids = [text.partition("=")[0] for text in texts]
    return lambda recipe: ids.index(recipe.id)


def _camera_tables(cameras: Sequence[CameraChoice]) -> Iterator[str]:
    """The tables of several cameras; none for one without a name."""
    for camera in cameras:
        if camera.name:
            yield f"\n[[{CAMERAS}]]"
            yield f"{NAME_KEY} = {_text(camera.name)}"
            yield f"{SOURCE_KEY} = {_text(_absolute_source(camera.source))}"
            for key, name in OWN_KEYS.items():
                if name in camera.own:
                    yield f"{key} = {_toml(_plain(name, getattr(camera, name)))}"


def _plain(name: str, value: Any) -> Any:
    """The value as TOML has it; None where it is not set."""
    if value is None:
        return None
    if name in PATHS and not (name in OR_NONE and str(value) == NONE):
        return str(Path(value).absolute())
    if name == "source":
        return _absolute_source(value[0]) if value else None
    if name == "unsure_below":
        return _thresholds(value)
    if name == "settings":
        return dict(text.split("=", 1) for text in value)
    if name == "health_limits":
        return {limit: float(text) for limit, _, text in (pair.partition("=") for pair in value)}
    return str(value) if name in PATHS else value


def _absolute_source(text: str) -> str:
    """A camera that is a file or folder, by its whole path."""
    path = _stored(text)
    return text if path is None else str(path.absolute())


def _stored(text: str) -> Path | None:
    """The file or folder that a camera is; None of another one."""
    try:
        source = sort_source(text)
    except InputError:
        return None
    return source.path if source.kind == Kind.STORED else None


def _thresholds(texts: tuple[str, ...]) -> Any:
    pairs = {}
    for text in texts:
        label, equals, share = text.rpartition("=")
        pairs[label if equals else GLOBAL] = float(share)
    return pairs[GLOBAL] if set(pairs) == {GLOBAL} else pairs


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, dict):
        pairs = ", ".join(f"{_key(name)} = {_toml(entry)}" for name, entry in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(entry) for entry in value)}]"
    return _text(str(value))


def _text(value: str) -> str:
    # JSON's escapes are TOML's, but for one sign that TOML wants escaped too.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else _text(name)


def write_config(path: Path, values: Mapping[str, Any], say: Say) -> None:
    """Keep the configuration of a stream beside its verdicts, readable by its owner alone.

    Its folder is left out: the next stream with this configuration needs another one.
    No disk that refuses it keeps a stream from judging: that is a note.
    """
    try:
        with explained(path):
            path.unlink(missing_ok=True)
        write_new(path, config_text({**values, "out": None}, with_passwords=True).encode(), 0o600)
    except EdgeclError as error:
        say(f"note: the configuration was not written: {error}")
