"""The model of a stream: found, read and verified once, for all parts that ask about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.verb import naming_place
from runtime.errors import InputError

if TYPE_CHECKING:
    from edgecl.cli.run.choices import RunChoices
    from runtime.artifact.bundle import Bundle
    from runtime.artifact.manifest import Manifest
    from runtime.artifact.scene import SceneRecord
    from runtime.stream.recipes.recipe import RecipeMark


@dataclass(frozen=True)
class ChosenModel:
    """The model that a stream judges by, or begins with.

    Args:
        path: as it was named or found.
        source: the bundle, verified; of a lone file its path.
        manifest: of the bundle. Of a lone file that of the bundle that it lies in, which nobody
            has verified; None where there is none.
    """

    path: Path
    source: Bundle | Path
    manifest: Manifest | None

    @property
    def scene(self) -> SceneRecord | None:
        """Return the light and focus that it was trained on; None where nothing tells."""
        return None if self.manifest is None else self.manifest.scene

    def mark(self, recipe: str) -> RecipeMark:
        """Return the mark of the recipe that has this model.

        Args:
            recipe: its id.
        """
        from runtime.stream.recipes.recipe import RecipeMark

        return RecipeMark.of(recipe, self.path, self.manifest)


def chosen_model(choices: RunChoices, context: click.Context) -> ChosenModel:
    """Find the model that the choices name, and read it: a bundle with the hash of every file.

    Raises:
        InputError: there is none, it was changed, it is not a bundle, or not signed by the key
            of `--verify-key`.
    """
    from runtime.artifact.bundle import load_bundle, manifest_beside
    from runtime.artifact.signature import load_signed_bundle
    from runtime.session.built import is_engine

    path = choices.model or newest_bundle()
    with naming_place(context, "verify_key", "model"):
        if choices.verify_key is not None:
            bundle = load_signed_bundle(path, choices.verify_key)
        elif not path.is_dir() and (path.suffix == ".onnx" or is_engine(path)):
            return ChosenModel(path, path, manifest_beside(path))
        else:
            bundle = load_bundle(path)
    return ChosenModel(path, bundle, bundle.manifest)


def newest_bundle() -> Path:
    """The bundle that was written last, under the current folder or `runs/`.

    Raises:
        InputError: there is none.
    """
    from runtime.artifact.bundle import MANIFEST, SUFFIX

    manifests = [
        manifest
        for folder in (Path(), Path("runs"))
        for manifest in folder.glob(f"*{SUFFIX}/{MANIFEST}")
    ]
    if not manifests:
        raise InputError(
            f"no bundle (*{SUFFIX}) found here or in runs/",
            hint="make one with 'edgecl export', or pass one with --model",
        )
    return max(manifests, key=lambda manifest: manifest.stat().st_mtime_ns).parent
