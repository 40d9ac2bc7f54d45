"""`edgecl inspect`: show a bundle after verifying its files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.options import ANY_PATH
from edgecl.cli.results import print_json
from edgecl.cli.verb import Verb
from runtime.errors import InputError

if TYPE_CHECKING:
    from runtime.artifact.manifest import Manifest

ENGINES = "engines"
"""Folder inside a bundle for what a box built for itself."""


@click.command("inspect", cls=Verb, short_help="Show and verify a bundle.")
@click.argument("bundle", type=ANY_PATH, metavar="BUNDLE")
@click.option(
    "--verify-key",
    type=ANY_PATH,
    metavar="PUB",
    help="Require a signature by this public key.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(bundle: Path, verify_key: Path | None, as_json: bool) -> None:
    """Verify every file of BUNDLE and show its precisions, labels, input and origin.

    The exit code is 2 if a file is missing or was changed after export, or if the signature
    does not match --verify-key.
    """
    from edgecl.cli.inspect.engine_list import engines_of
    from edgecl.cli.inspect.inspection import Inspection
    from runtime.artifact.signature import load_verified_bundle

    loaded = load_verified_bundle(bundle, verify_key)
    found = Inspection(
        bundle,
        loaded.manifest,
        signature_state(bundle, verified=verify_key is not None),
        unnamed_files(bundle, loaded.manifest),
        engines_of(loaded),
    )
    if as_json:
        print_json(found.to_json())
    else:
        from edgecl.cli.inspect.view import print_inspection

        print_inspection(found)


def signature_state(bundle: Path, *, verified: bool) -> dict[str, str | None]:
    """Whether a bundle is signed, and whether that was checked.

    Args:
        verified: whether its signature was checked and holds.

    Returns:
        `state`: verified, unchecked, none or damaged; and `key`, the fingerprint that it claims.
    """
    from runtime.artifact.signature import read_signature

    try:
        signature = read_signature(bundle)
    except InputError:
        return {"state": "damaged", "key": None}
    if signature is None:
        return {"state": "none", "key": None}
    return {"state": "verified" if verified else "unchecked", "key": signature.key}


def unnamed_files(bundle: Path, manifest: Manifest) -> list[str]:
    """Files in the bundle that no hash covers, beside the signature and what is built on a box.

    Args:
        bundle: its folder.
        manifest: as `load_bundle` verified it.
    """
    from runtime.artifact.bundle import MANIFEST
    from runtime.artifact.signature import SIGNATURE

    known = {MANIFEST, SIGNATURE, *manifest.files}
    found = (
        path.relative_to(bundle)
        for path in bundle.rglob("*")
        if path.is_symlink() or not path.is_dir()
    )
    return sorted(
        str(path) for path in found if str(path) not in known and path.parts[0] != ENGINES
    )
