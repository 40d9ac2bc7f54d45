"""Findings of `edgecl inspect`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.artifact.manifest import Manifest
from runtime.files.document import plain


@dataclass(frozen=True)
class Inspection:
    """A bundle whose files were verified.

    Args:
        bundle: its folder.
        signature: its `state`, and the `key` that it claims.
        unnamed: files that no hash covers.
        engines: that were built of it, as `engines_of` gives them.
    """

    bundle: Path
    manifest: Manifest
    signature: Mapping[str, str | None]
    unnamed: Sequence[str]
    engines: Sequence[Mapping[str, Any]]

    @property
    def name(self) -> str:
        """The bundle's name, from its folder where the manifest does not tell."""
        return self.manifest.name or self.bundle.stem

    def to_json(self) -> dict[str, Any]:
        """Return what `--json` prints: the manifest, its contract spread out, and the rest."""
        manifest = plain(self.manifest)
        contract = manifest.pop("contract")
        return {
            "bundle": str(self.bundle),
            "verified": True,
            **manifest,
            "name": self.name,
            "labels": contract["labels"],
            "pass_labels": contract["pass_labels"],
            "input": contract["input"],
            "signature": self.signature,
            "unnamed": self.unnamed,
            "engines": self.engines,
        }
