"""Artefacts of an export from its manifest, shipped and refused, in one form."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.artifact.manifest import Manifest, Measured, Precision


@dataclass(frozen=True)
class ArtefactFigures:
    """One artefact of a bundle, such as `int8` or `int8-tensorrt`.

    Args:
        shipped: its file, and what was measured of it; None where it was refused.
        measured: beside the trained model; all None in bundles of earlier versions.
        reason: why it does not ship; empty where it does.
    """

    shipped: Precision | None
    measured: Measured
    reason: str = ""

    @property
    def accuracy(self) -> float | None:
        """Share of right answers on the validation part."""
        return self.shipped.accuracy if self.shipped else self.measured.accuracy

    @property
    def agreement(self) -> float | None:
        """Share of images with the trained model's label."""
        return self.shipped.agreement if self.shipped else self.measured.agreement

    @property
    def max_abs_diff(self) -> float | None:
        """Largest change of a probability."""
        return self.shipped.max_abs_diff if self.shipped else self.measured.max_abs_diff


def artefacts(manifest: Manifest) -> dict[str, ArtefactFigures]:
    """Return the measurements of each artefact of a bundle by name.

    The name is that of `gate.comparisons`. A file that serves several targets comes once.
    """
    comparisons, nothing = manifest.gate.comparisons, Measured()
    found = {
        name: ArtefactFigures(entry, comparisons.get(name, nothing))
        for name, entry in manifest.precisions.items()
    }
    files = {entry.file for entry in manifest.precisions.values()}
    for target, held in (("openvino", manifest.openvino), ("tensorrt", manifest.tensorrt)):
        for name, entry in held.items():
            if entry.file not in files:
                own = f"{name}-{target}"
                found[own] = ArtefactFigures(entry, comparisons.get(own, nothing))
    for name, refused in manifest.refused.items():
        # What its own entry lacks, as in bundles of earlier versions, the comparison may have.
        measured = refused if refused.images is not None else comparisons.get(name, refused)
        found[name] = ArtefactFigures(None, measured, refused.reason or "no reason recorded")
    return found
