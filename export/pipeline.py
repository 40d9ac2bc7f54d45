"""Export of one trained classifier to a bundle whose every precision has passed the gate."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.bundle.manifest import Page, write_bundle
from export.gate.decision import caveat
from export.job import Job
from export.novelty import measure_novelty
from export.outcome import ExportOutcome
from export.stages.artefact import FP16, FP32, INT8, Artefact, Proposal, judge
from export.stages.escapes import with_thumbnails
from export.stages.graphs import fp32_graph, half_graph
from export.stages.half import expected_ranges, reason_of_overflow
from export.stages.heat_maps.graph import HeatMapGraph, heat_map_graph
from export.stages.int8 import Int8Plan
from export.stages.proving import Reference, reference_of
from export.stages.remedies.forms import Int8Forms
from export.stages.remedies.judged import Int8Judged, export_int8
from export.stages.shipping import golden_images, shipped_precisions, test_outputs
from runtime.errors import GateError
from runtime.files.atomic import explained
from runtime.progress import Say, StageProgress

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_NO_GOLDEN = (
    "no golden images: no image gives the trained model's result in all shipped precisions, "
    "so the target cannot check its results against the export"
)


def export_bundle(
    job: Job,
    out: Path,
    report: StageProgress,
    *,
    page: Page | None = None,
    key: Ed25519PrivateKey | None = None,
) -> ExportOutcome:
    """Export, compare, and write the bundle `out`, whole or not at all.

    A precision that fails the gate is left out and named in the outcome and the manifest.

    Args:
        page: writes the bundle's `report.html`; None for none.
        key: signs the manifest; None for no signature.

    Raises:
        GateError: FP32 itself failed; nothing is written.
        InputError: the bundle cannot be written, or INT8 cannot be calibrated.
    """
    steps = 3 + 2 * len(job.precisions) + 2 * (INT8 in job.precisions)
    step = _counted(report, steps)
    with (
        explained(Path(tempfile.gettempdir())),
        tempfile.TemporaryDirectory(prefix="edgecl-export-") as folder,
    ):
        scratch = Path(folder)
        report("export", 0, steps, "running the trained model")
        reference = reference_of(job.trained, job.validation, job.contract, job.limits)
        gate = partial(judge, reference=reference, folder=scratch, step=step)

        step("fp32: building the graph")
        fp32 = fp32_graph(job.classifier, job.contract, job.rewrites)
        artefacts = [gate(Proposal(FP32, fp32.model, fp32.rewrites))]
        _require_fp32(artefacts[0])
        heat_maps = heat_map_graph(job, reference, scratch)

        int8: Int8Judged | None = None
        if {FP16, INT8} & set(job.precisions):
            step("fp16: building the graph")
            half = half_graph(job.classifier, job.contract, fp32, job.rewrites)
            candidates = job.candidates.one_tile_each()
            usual = expected_ranges(fp32.model, candidates.images, candidates.targets, job.seed)
            overflow = reason_of_overflow(half.model, usual)
            if FP16 in job.precisions:
                artefacts.append(gate(Proposal(FP16, half.model, half.rewrites, overflow)))
            if INT8 in job.precisions:
                step("int8: calibrating")
                forms = Int8Forms(fp32, half, overflow, reference, scratch)
                int8 = export_int8(job, candidates, forms, step, report)
                artefacts += int8.artefacts

        report("export", steps - 1, steps, "the test part")
        ship = [artefact for artefact in artefacts if not artefact.reason]
        refused = {artefact.name: artefact.reason for artefact in artefacts if artefact.reason}
        tested = test_outputs(ship, job.test)
        shipped = shipped_precisions(ship, tested, job.test, job.contract)
        validated = {artefact.name: artefact.validation_outputs for artefact in ship}
        novelty, novelty_notes = measure_novelty(job, validated, tested)
        golden = golden_images(ship, reference)
        plan = int8.plan if int8 else None
        unproven = {artefact.name: artefact.unproven for artefact in ship if artefact.unproven}
        outcome = ExportOutcome(
            shipped=shipped,
            refused={**refused, **(int8.unmade if int8 else {})},
            comparisons={artefact.name: artefact.proof.comparison for artefact in artefacts},
            details=_details(artefacts, plan, reference, heat_maps),
            notes=(
                *job.notes,
                *((*int8.plan.notes, *int8.notes) if int8 else ()),
                *(f"{name} is unproven: {reason}" for name, reason in unproven.items()),
                *_caveats(artefacts, reference),
                *((_NO_GOLDEN,) if golden is None else ()),
                *novelty_notes,
            ),
            golden=golden,
            novelty=novelty,
            unproven=unproven,
            remedies=int8.remedies if int8 else (),
        )
        write_bundle(
            job,
            outcome,
            {artefact.name: artefact for artefact in artefacts},
            plan,
            out,
            page,
            key,
            more=(heat_maps.path,) if heat_maps else (),
        )
    report("export", 1, 1, str(out))
    return outcome


def _counted(report: StageProgress, steps: int) -> Say:
    """Number the steps of an export as they begin."""
    numbers = count(1)
    return lambda text: report("export", next(numbers), steps, text)


def _require_fp32(artefact: Artefact) -> None:
    if artefact.reason:
        raise GateError(
            f"the exported FP32 graph fails the gate, so nothing was written: {artefact.reason}",
            hint="please report this: it is a bug in the export",
        )


def _details(
    artefacts: Sequence[Artefact],
    plan: Int8Plan | None,
    reference: Reference,
    heat_maps: HeatMapGraph | None,
) -> dict[str, Any]:
    """Collect what the page shows beside the manifest."""
    return {
        **({**plan.details, "kept": list(plan.kept)} if plan else {}),
        "escapes": {
            artefact.name: with_thumbnails(artefact.proof.comparison, reference)
            for artefact in artefacts
        },
        "rewrites": list(artefacts[0].rewrites),
        "heat_maps": heat_maps.examples if heat_maps else [],
    }


def _caveats(artefacts: Sequence[Artefact], reference: Reference) -> tuple[str, ...]:
    """Explain what the validation part is too small to prove of precisions beside FP32."""
    note = caveat(artefacts[0].proof.comparison, reference.limits)
    return (note,) if note and len(artefacts) > 1 else ()
