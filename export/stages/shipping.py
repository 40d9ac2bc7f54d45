"""Measurement of what ships on the test part, and its golden images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from export.gate.answers import image_probabilities
from export.job import DataPart
from export.stages.artefact import Artefact
from export.stages.golden import choose_golden
from export.stages.proving import Reference
from runtime.artifact.bundle import Precision
from runtime.artifact.contract import ModelContract
from runtime.session.base import Outputs
from runtime.session.golden import GoldenImages


def test_outputs(artefacts: Sequence[Artefact], test: DataPart) -> dict[str, Outputs]:
    """Run what ships on the test part, once and for the record.

    Args:
        artefacts: those that passed the gate.

    Returns:
        By artefact, its outputs for every tile.
    """
    return {artefact.name: artefact.outputs(test.images) for artefact in artefacts}


def shipped_precisions(
    artefacts: Sequence[Artefact],
    outputs: Mapping[str, Outputs],
    test: DataPart,
    contract: ModelContract,
) -> dict[str, Precision]:
    """Return what was measured of what ships.

    Args:
        artefacts: those that passed the gate.
        outputs: by artefact, those of `test_outputs`.

    Returns:
        By artefact, its entry in the manifest.
    """
    return {
        artefact.name: _precision(artefact, outputs[artefact.name], test, contract)
        for artefact in artefacts
    }


def golden_images(artefacts: Sequence[Artefact], reference: Reference) -> GoldenImages | None:
    """Choose the images by which the target checks the bundle's results.

    Of images that are cut they are single tiles: what a kernel gets wrong shows in a tile as well
    as in all of them, and tiles of many images say more than all tiles of one.

    Args:
        artefacts: those that ship.
        reference: the trained model's answers for the validation part.

    Returns:
        None where on no image all that ships comes close to the trained model.
    """
    images, probabilities = reference.part.images, reference.answers
    shipped = [
        outputs.probabilities
        for artefact in artefacts
        for outputs in artefact.proof.outputs.values()
    ]
    rows = choose_golden(probabilities, shipped, image_bytes=images[0].size)
    return GoldenImages(images[rows][:, None], probabilities[rows]) if rows else None


def _precision(
    artefact: Artefact, outputs: Outputs, test: DataPart, contract: ModelContract
) -> Precision:
    comparison = artefact.proof.comparison
    answers = image_probabilities(outputs.probabilities, test.tile_counts, contract)
    return Precision(
        file=artefact.path.name,
        accuracy=comparison.accuracy,
        test_accuracy=float((answers.argmax(1) == test.targets).mean()),
        max_abs_diff=comparison.max_abs_diff,
        agreement=comparison.agreement,
        bytes=artefact.path.stat().st_size,
    )
