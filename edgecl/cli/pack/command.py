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
from runtime.counting import counted
from runtime.errors import InputError

if TYPE_CHECKING:
    from edgecl.cli.pack.targets import PackTarget

PREFIX = "/opt/edgecl"


@click.command("pack", cls=Verb, short_help="Pack wheels, bundle and configuration for a box.")
@click.option(
    "--target",
    required=True,
    help="Machine: jetson-jp6, or x86-cp311 with the box's Python, from x86-cp310 on.",
)
@click.option(
    "--model",
    type=ANY_PATH,
    metavar="BUNDLE",
    help="Bundle that the box judges with. Recipes in the configuration name theirs.",
)
@click.option(
    "--config",
    type=ANY_PATH,
    required=True,
    metavar="FILE",
    help="Configuration of 'edgecl run'; --model replaces its model, and its recipes' bundles are "
    "packed, too.",
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
    model: Path | None,
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
    from edgecl.cli.pack.contents import contents_of, needed_extras
    from edgecl.cli.pack.targets import target_of
    from edgecl.cli.pack.wheels import gather_wheels
    from edgecl.cli.run.config.loading import read_toml
    from edgecl.cli.service.line import ServiceWishes, read_line, unit_of
    from export.bundle.signing import PASSWORD_VARIABLE, load_signing_key

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
    choices = read_line(config)
    line = contents_of(choices, config, read_toml(config), model)
    program = [f"{prefix}/venv/bin/python", "-m", "edgecl", "run"]
    program += ["--config", f"{prefix}/{config.name}"]
    program += ["--model", f"{prefix}/{line.bundle}"] if line.bundle else []
    unit = unit_of(name, Path(f"{prefix}/{config.name}"), choices, ServiceWishes(), program)
    wanted = sorted({*chosen.extras, *extras, *needed_extras(choices)})
    for note in line.notes:
        click.echo(note, err=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        gather_wheels(
            chosen, wanted, folder, given=wheels, index=not no_index, say=lambda t: _say(t)
        )
        files: dict[str, Path | bytes] = {
            "install.py": Path(__file__).with_name("install.py").read_bytes(),
            "pack.json": _facts(chosen, wanted, name, prefix),
            f"unit/{name}.service": unit.text().encode(),
            **line.files,
            **dict(files_below(folder, "wheels")),
        }
        digest = write_pack(out, files, key)
    results_are_in(out)
    click.echo(f"{out}: {counted(len(files), 'file')} for {chosen.name}, SHA256SUMS {digest}")
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
