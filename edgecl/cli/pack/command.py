"""`edgecl pack`: all that a box without a network needs, in one archive."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl import __version__
from edgecl.cli.options import ANY_PATH
from edgecl.cli.results import results_are_in
from edgecl.cli.verb import Verb
from runtime.errors import InputError

if TYPE_CHECKING:
    from edgecl.cli.pack.targets import PackTarget
    from edgecl.cli.run.choices import RunChoices

PREFIX = "/opt/edgecl"
SINK_EXTRAS = {
    "mqtt:": "mqtt",
    "modbus:": "modbus",
    "gpio:gpiod:": "gpio",
    "gpio:jetson:": "jetson-gpio",
}
"""Extras of edgecl by the beginning of a sink's address."""


@click.command("pack", cls=Verb, short_help="Pack wheels, bundle and configuration for a box.")
@click.option(
    "--target",
    required=True,
    help="Machine: jetson-jp6, or x86-cp311 with the box's Python, from x86-cp310 on.",
)
@click.option("--model", type=ANY_PATH, required=True, help="Bundle that the box judges with.")
@click.option(
    "--config",
    type=ANY_PATH,
    required=True,
    metavar="FILE",
    help="Configuration of 'edgecl run'; its model is replaced by --model.",
)
@click.option(
    "--wheels",
    type=ANY_PATH,
    metavar="FOLDER",
    help="Wheels to take; the others come from the package index.",
)
@click.option("--no-index", is_flag=True, help="Take wheels of --wheels alone, and ask no index.")
@click.option(
    "--extra",
    "extras",
    multiple=True,
    metavar="NAME",
    help="Extra of edgecl, e.g. genicam. Repeatable.  [default: what the configuration needs]",
)
@click.option(
    "--sign", type=ANY_PATH, metavar="KEY", help="Private key of 'edgecl keys' that signs the pack."
)
@click.option("--name", default="edgecl", show_default=True, help="Name of the service.")
@click.option(
    "--prefix",
    default=PREFIX,
    show_default=True,
    metavar="FOLDER",
    help="Folder on the box that it is installed to.",
)
@click.option("--out", type=ANY_PATH, required=True, metavar="FILE", help="The archive, a .tar.")
def command(
    target: str,
    model: Path,
    config: Path,
    wheels: Path | None,
    no_index: bool,
    extras: tuple[str, ...],
    sign: Path | None,
    name: str,
    prefix: str,
    out: Path,
) -> int:
    """Pack all that a box needs into one archive, which installs without a network.

    On the box: tar xf PACK.tar; cd edgecl-pack; python3 install.py --verify-key KEY.pub
    """
    from edgecl.cli.pack.archive import files_below, write_pack
    from edgecl.cli.pack.targets import target_of
    from edgecl.cli.pack.wheels import gather_wheels
    from edgecl.cli.service.line import ServiceWishes, read_line, unit_of
    from export.bundle.signing import PASSWORD_VARIABLE, load_signing_key
    from runtime.artifact.bundle import load_bundle

    chosen = target_of(target)
    if no_index and wheels is None:
        raise InputError("--no-index needs --wheels", hint="pass a folder of wheels")
    if not prefix.startswith("/") or not prefix.strip("/"):
        raise InputError(
            f"--prefix {prefix!r} is no folder on the box", hint="as in --prefix /opt/edgecl"
        )
    prefix = prefix.rstrip("/")
    key = None
    if sign is not None:
        key = load_signing_key(sign, os.environ.get(PASSWORD_VARIABLE))
    if model.is_file():
        raise InputError(f"--model {model} is a single file", hint="pass the bundle's folder")
    load_bundle(model)  # every file has its hash
    choices = read_line(config)
    if choices.recipes:
        raise InputError(
            f"{config} names recipes, and a pack carries one bundle",
            hint="pack a configuration without [recipes], and copy their bundles beside it",
        )
    program = [f"{prefix}/venv/bin/python", "-m", "edgecl", "run"]
    bundle = model.resolve().name
    program += ["--config", f"{prefix}/{config.name}", "--model", f"{prefix}/{bundle}"]
    unit = unit_of(name, Path(f"{prefix}/{config.name}"), choices, ServiceWishes(), program)
    wanted = sorted({*chosen.extras, *extras, *_needed(choices)})
    for note in _outside(choices, config):
        click.echo(note, err=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        gather_wheels(
            chosen, wanted, folder, given=wheels, index=not no_index, say=lambda t: _say(t)
        )
        files: dict[str, Path | bytes] = {
            "install.py": Path(__file__).with_name("install.py").read_bytes(),
            "pack.json": _facts(chosen, wanted, name, prefix),
            f"line/{config.name}": config.read_bytes(),
            f"unit/{name}.service": unit.text().encode(),
            **dict(files_below(model, f"line/{bundle}")),
            **dict(files_below(folder, "wheels")),
            **_beside(choices, config),
        }
        digest = write_pack(out, files, key)
    results_are_in(out)
    click.echo(f"{out}: {len(files)} files for {chosen.name}, SHA256SUMS {digest}")
    if key is None:
        click.echo("note: the pack is not signed; sign it with --sign KEY", err=True)
    return 0


def _say(text: str) -> None:
    click.echo(text, err=True)


def _facts(target: PackTarget, extras: list[str], name: str, prefix: str) -> bytes:
    facts = {
        "schema": 1,
        "edgecl": __version__,
        "target": target.name,
        "python": target.python,
        "machine": target.machine,
        "extras": ",".join(extras),
        "system_packages": target.system_packages,
        "service": name,
        "prefix": prefix,
    }
    return (json.dumps(facts, indent=2) + "\n").encode()


def _needed(choices: RunChoices) -> set[str]:
    """Extras that a configuration needs."""
    found = set()
    for text in choices.sinks:
        found |= {extra for start, extra in SINK_EXTRAS.items() if text.startswith(start)}
    if any(camera.source.startswith(("gentl:",)) for camera in choices.cameras):
        found.add("genicam")
    if choices.verify_key is not None:
        found.add("sign")
    if (choices.url or "").startswith("grpc"):
        found.add("oip")
    return found


def _named(choices: RunChoices) -> list[Path]:
    """Files that a configuration names."""
    flats = [camera.flat for camera in choices.cameras]
    keys = (choices.verify_key, choices.server_ca)
    return [path for path in (*flats, *keys) if path and str(path) != "none"]


def _beside(choices: RunChoices, config: Path) -> dict[str, Path | bytes]:
    """Files that a configuration names below its own folder, which travel with it."""
    folder = config.absolute().parent
    found: dict[str, Path | bytes] = {}
    for path in _named(choices):
        whole = path.absolute()
        if whole.is_relative_to(folder) and ".." not in whole.parts:
            if not whole.is_file():
                raise InputError(f"{path}, which {config} names, is not there", hint="put it there")
            found[f"line/{whole.relative_to(folder).as_posix()}"] = whole
    return found


def _outside(choices: RunChoices, config: Path) -> list[str]:
    folder = config.absolute().parent
    return [
        f"note: {config} names {path}, which must be on the box too"
        for path in _named(choices)
        if not path.absolute().is_relative_to(folder)
    ]
