"""Results of an export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from export.gate.comparison import Comparison
from runtime.artifact.bundle import Precision
from runtime.artifact.manifest import RemedyRecord
from runtime.session.golden import GoldenImages


@dataclass(frozen=True)
class ExportOutcome:
    """Results of an export.

    Args:
        shipped: by artefact, as in the manifest.
        refused: by artefact, why.
        comparisons: by artefact, also of those refused.
        details: what the page shows beside the manifest, see `edgecl.reporting.pages.export`.
        notes: what the user should know.
        golden: images that the bundle takes along; None where none would do.
        unproven: by artefact that ships although it is beyond a limit by count, why it does.
        remedies: what was tried on INT8 that was refused, in order.
    """

    shipped: Mapping[str, Precision]
    refused: Mapping[str, str]
    comparisons: Mapping[str, Comparison]
    details: Mapping[str, Any]
    notes: Sequence[str]
    golden: GoldenImages | None
    unproven: Mapping[str, str] = field(default_factory=dict)
    remedies: Sequence[RemedyRecord] = ()
