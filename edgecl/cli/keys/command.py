"""`edgecl keys`: a pair of keys for signed bundles."""

from __future__ import annotations

import os
from pathlib import Path

import click

from edgecl.cli.options import ANY_PATH
from edgecl.cli.results import results_are_in
from edgecl.cli.verb import Verb


@click.command("keys", cls=Verb, short_help="Make a key pair for signed bundles.")
@click.argument("name", type=ANY_PATH, metavar="NAME")
def command(name: Path) -> None:
    """Make a key pair: NAME.key signs (`edgecl export --sign NAME.key`), NAME.pub verifies.

    Keep NAME.key where bundles are made, and copy NAME.pub to the boxes. If
    EDGECL_KEY_PASSWORD is set, the private key is encrypted with it. Existing files are never
    overwritten.
    """
    from export.bundle.signing import PASSWORD_VARIABLE, write_key_pair

    private, public, fingerprint = write_key_pair(name, os.environ.get(PASSWORD_VARIABLE))
    results_are_in(private)
    click.echo(f"{private}: private key, signs bundles; keep it secret")
    click.echo(f"{public}: public key, verifies bundles; copy it to the boxes")
    click.echo(f"fingerprint: {fingerprint}")
