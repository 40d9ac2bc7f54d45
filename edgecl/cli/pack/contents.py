"""Content of a pack beside the wheels: bundles and files that a configuration names, and extras."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecl.cli.pack.archive import files_below
from runtime.errors import InputError

if TYPE_CHECKING:
    from edgecl.cli.run.choices import RunChoices

LINE = "line"
"""Folder of the pack that becomes the line's own folder on the box."""

SINK_EXTRAS = {
    "mqtt:": "mqtt",
    "modbus:": "modbus",
    "opcua:": "opcua",
    "gpio:gpiod:": "gpio",
    "gpio:jetson:": "jetson-gpio",
}
"""Extras of edgecl by the beginning of a sink's address."""


@dataclass(frozen=True)
class LineContents:
    """Files of a line, by their names in the pack.

    Args:
        files: what they hold, or where they are.
        bundle: folder of the one bundle, as `--model` names it on the box; empty where the
            configuration names its recipes' bundles itself.
        notes: what has to be on the box too, each in one line.
    """

    files: Mapping[str, Path | bytes]
    bundle: str
    notes: tuple[str, ...]


def contents_of(
    choices: RunChoices, config: Path, document: Mapping[str, Any], model: Path | None
) -> LineContents:
    """Return what a pack holds of a line; every bundle is verified.

    Args:
        choices: in the configuration.
        config: its file.
        document: the same as TOML, with paths as they were written.
        model: the bundle of a configuration without recipes.

    Raises:
        InputError: a bundle or a file is missing, was changed, is not signed by the key that the
            configuration names, or is where the box will not have it.
    """
    from runtime.artifact.signature import load_verified_bundle

    place = _Place(config, frozenset(_absolute(document)))
    files: dict[str, Path | bytes] = {f"{LINE}/{config.name}": config.read_bytes()}
    bundle = ""
    if choices.recipes:
        if model is not None:
            raise InputError(
                f"--model stands beside the recipes of {config}, which name their bundles",
                hint="omit it",
            )
        for recipe in choices.recipes:
            load_verified_bundle(recipe.model, choices.verify_key)
            files |= files_below(recipe.model, place.of_bundle(recipe.id, recipe.model))
    else:
        if model is None:
            raise InputError(
                "a pack needs the bundle that the box judges with", hint="add --model BUNDLE"
            )
        if model.is_file():
            raise InputError(f"--model {model} is a single file", hint="pass the bundle's folder")
        load_verified_bundle(model, choices.verify_key)
        bundle = model.resolve().name
        files |= files_below(model, f"{LINE}/{bundle}")
    notes = []
    for path in _named(choices):
        name = place.of(path)
        if path == choices.shadow and name is not None:
            load_verified_bundle(path, choices.verify_key)
        if name is None:
            notes.append(f"note: {config} names {path}, which must be on the box too")
        elif path.is_dir():
            files |= files_below(path, name)
        elif path.is_file():
            files[name] = path
        else:
            raise InputError(f"{path}, which {config} names, is not there", hint="put it there")
    logins = dict.fromkeys(camera.login_file for camera in choices.cameras)
    notes += [
        f"note: {config} names {path}, which is a secret: it is not packed, and must be on the box"
        for path in (*logins, choices.serve_token, choices.serve_key, choices.server_token)
        if path is not None
    ]
    return LineContents(files, bundle, tuple(notes))


def needed_extras(choices: RunChoices) -> set[str]:
    """Return the extras of edgecl that a configuration needs."""
    found = set()
    for text in choices.sinks:
        found |= {extra for start, extra in SINK_EXTRAS.items() if text.startswith(start)}
    if any(camera.source.startswith(("gentl:",)) for camera in choices.cameras):
        found.add("genicam")
    if choices.verify_key is not None:
        found.add("sign")
    if choices.metrics is not None:
        found.add("metrics")
    if choices.serve is not None:
        found.add("serve")
    if (choices.url or "").startswith("grpc"):
        found.add("oip")
    return found


@dataclass(frozen=True)
class _Place:
    """Place of files in a pack: as they are beside their configuration.

    Args:
        config: its file.
        absolute: texts in it that are whole paths, which name the same place on the box.
    """

    config: Path
    absolute: frozenset[str]

    def of(self, path: Path) -> str | None:
        """The name of a file or folder in the pack; None where it does not travel."""
        whole, folder = path.absolute(), self.config.absolute().parent
        if str(path) in self.absolute or ".." in whole.parts or not whole.is_relative_to(folder):
            return None
        return f"{LINE}/{whole.relative_to(folder).as_posix()}"

    def of_bundle(self, recipe: str, path: Path) -> str:
        name = self.of(path)
        if name is None or name == LINE:
            raise InputError(
                f"recipe {recipe} names {path}, which the box will not have there",
                hint=f"put the bundle beside {self.config}, and name it by that: "
                f'model = "{path.name or "bolt.edgecl"}"',
            )
        return name


def _absolute(document: Any) -> Iterator[str]:
    """Yield all whole paths in a document."""
    if isinstance(document, Mapping):
        document = list(document.values())
    if isinstance(document, list):
        for entry in document:
            yield from _absolute(entry)
    elif isinstance(document, str) and document.startswith("/"):
        yield str(Path(document))


def _named(choices: RunChoices) -> Iterator[Path]:
    """Yield files and folders that a configuration names, secrets left out."""
    from edgecl.cli.run.recipes.checking import looked_at_by_checks

    found = [camera.flat for camera in choices.cameras]
    found += [choices.verify_key, choices.server_ca, choices.serve_cert, choices.shadow]
    found += looked_at_by_checks(choices)
    for path in dict.fromkeys(found):
        if path is not None and str(path) != "none":
            yield path
