"""Results of an export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.gate.comparison import Comparison
from runtime.artifact.bundle import Precision
from runtime.artifact.manifest import RemedyRecord
from runtime.artifact.novelty import NoveltyRecord
from runtime.novelty import TrainingSpace
from runtime.session.golden import GoldenImages


@dataclass(frozen=True)
class ShippedNovelty:
    """Knowledge of a bundle about its training images.

    Args:
        space: where they lie.
        distances: by artefact that ships, those of the validation images, float32 n, ascending.
        record: for the manifest.
    """

    space: TrainingSpace
    distances: Mapping[str, NDArray[np.float32]]
    record: NoveltyRecord


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
        novelty: from where on an image is unknown; None where none is.
    """

    shipped: Mapping[str, Precision]
    refused: Mapping[str, str]
    comparisons: Mapping[str, Comparison]
    details: Mapping[str, Any]
    notes: Sequence[str]
    golden: GoldenImages | None
    unproven: Mapping[str, str] = field(default_factory=dict)
    remedies: Sequence[RemedyRecord] = ()
    novelty: ShippedNovelty | None = None
