"""Results of an export, while it is made and afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from export.gate.comparison import Comparison
from export.stages.proving import Proof
from runtime.artifact.bundle import Precision
from runtime.session.golden import GoldenImages


@dataclass(frozen=True)
class Artefact:
    """One file of the bundle to be, and its measurements.

    Args:
        rewrites: names of those that were applied.
        compiled_by: what compiled it on trial; empty where nothing that could is installed, and
            for what no GPU runs.
    """

    path: Path
    proof: Proof
    rewrites: tuple[str, ...]
    compiled_by: str


@dataclass
class ExportOutcome:
    """Results of an export.

    Args:
        shipped: by artefact, as in the manifest.
        refused: by artefact, why.
        comparisons: by artefact, also of those refused.
        details: what the page shows beside the manifest, see `edgecl.reporting.pages.export`.
        notes: what the user should know.
        golden: images that the bundle takes along; None where none would do.
    """

    shipped: dict[str, Precision] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    golden: GoldenImages | None = None
