"""The bundle on disk: artefacts, calibration record, page, and the manifest that holds it all."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from calibration.record import FILE as CALIBRATION_FILE
from export.bundle.golden import write_golden
from export.bundle.novelty import write_novelty
from export.bundle.signing import write_signature
from export.gate.comparison import Comparison
from export.job import Job
from export.outcome import ExportOutcome
from export.stages.artefact import Artefact
from export.stages.int8 import Int8Plan
from runtime.artifact.bundle import MANIFEST, PRECISIONS, SUFFIX, file_digest, manifest_digest
from runtime.artifact.manifest import (
    CalibrationFacts,
    EngineFigures,
    FileEntry,
    Gate,
    Manifest,
    Measured,
    Precision,
    Refused,
)
from runtime.errors import InputError
from runtime.files.atomic import explained, replacing_folder
from runtime.files.document import plain, write_document
from runtime.health.scene import scene_of
from runtime.image.flat.file import FLAT
from runtime.novelty import NOVELTY
from runtime.session.golden import GOLDEN

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Page = Callable[[Manifest, Mapping[str, Any]], str]
"""Renders a manifest and the details of an export as HTML."""

PAGE = "report.html"


def write_bundle(
    job: Job,
    outcome: ExportOutcome,
    artefacts: Mapping[str, Artefact],
    plan: Int8Plan | None,
    out: Path,
    page: Page | None = None,
    key: Ed25519PrivateKey | None = None,
    more: Sequence[Path] = (),
) -> Manifest:
    """Write the bundle `out`, whole or not at all.

    Args:
        page: renders `report.html`.
        key: signs the manifest.
        more: further files that it holds.

    Returns:
        Its manifest.

    Raises:
        InputError: it cannot be written.
    """
    with replacing_folder(out) as folder:
        for path in (*(artefacts[name].path for name in outcome.shipped), *more):
            (folder / path.name).write_bytes(path.read_bytes())
        if job.flat is not None:
            (folder / FLAT).write_bytes(job.flat.read_bytes())
        if outcome.golden is not None:
            write_golden(folder / GOLDEN, outcome.golden)
        if outcome.novelty is not None:
            write_novelty(folder / NOVELTY, outcome.novelty)
        calibration = CalibrationFacts()
        if plan is not None and {"int8", "int8-tensorrt"} & set(outcome.shipped):
            calibration = plan.summary()
            write_document(folder / CALIBRATION_FILE, plan.record)
        manifest = _manifest(job, outcome, artefacts, calibration, out)
        if page is not None:
            (folder / PAGE).write_text(
                page(manifest, outcome.details), encoding="utf-8", errors="backslashreplace"
            )
        files = {
            path.name: FileEntry(sha256=file_digest(path), bytes=path.stat().st_size)
            for path in sorted(folder.iterdir())
        }
        manifest = replace(manifest, files=files)
        manifest = replace(manifest, digest=manifest_digest(plain(manifest)))
        write_document(folder / MANIFEST, manifest)
        if key is not None:
            write_signature(folder, manifest.digest, key)
    return manifest


def require_own_place(out: Path) -> None:
    """Refuse to write where something else than a bundle is, or where nothing can be written.

    Raises:
        InputError: a file or another folder is there, or the place cannot be written to.
    """
    with explained(out):
        if out.is_dir():
            if any(out.iterdir()) and not (out / MANIFEST).is_file():
                raise InputError(
                    f"{out} contains files that are not part of a bundle and would be lost",
                    hint="choose another --out, or move that folder",
                )
        elif out.exists() or out.is_symlink():
            raise InputError(
                f"{out} is a file, not a bundle", hint="choose another --out, or delete that file"
            )
        above = next(folder for folder in out.absolute().parents if folder.exists())
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{above} is a file")
        if not os.access(above, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, f"{above} is not writable")


def _manifest(
    job: Job,
    outcome: ExportOutcome,
    artefacts: Mapping[str, Artefact],
    calibration: CalibrationFacts,
    out: Path,
) -> Manifest:
    """The manifest, but for the files and the digest."""
    shipped = outcome.shipped
    measured = {name: measured_of(found) for name, found in outcome.comparisons.items()}
    return Manifest(
        name=out.name.removesuffix(SUFFIX),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        edgecl_version=job.version,
        contract=job.contract.record(),
        files={},
        precisions={name: entry for name, entry in shipped.items() if name in PRECISIONS},
        openvino=_own(shipped, "openvino"),
        tensorrt=_own(shipped, "tensorrt"),
        refused={
            name: refused_of(reason, outcome.comparisons.get(name))
            for name, reason in outcome.refused.items()
        },
        gate=Gate(
            max_drop=job.limits.max_drop,
            max_escapes=job.limits.max_escapes,
            strict=job.limits.strict,
            unproven=dict(outcome.unproven),
            remedies=tuple(outcome.remedies),
            validation_images=len(job.validation),
            reference_accuracy=outcome.comparisons["fp32"].reference_accuracy,
            comparisons=measured,
            engines={
                name: {
                    engine: EngineFigures(
                        accuracy=found.accuracy,
                        agreement=found.agreement,
                        max_abs_diff=found.max_abs_diff,
                    )
                    for engine, found in artefact.proof.engines.items()
                }
                for name, artefact in artefacts.items()
            },
        ),
        rewrites=tuple(artefacts["fp32"].rewrites),
        compiled={
            name: artefact.compiled_by
            for name, artefact in artefacts.items()
            if artefact.compiled_by
        },
        origin=job.origin,
        calibration=calibration,
        scene=scene_of(job.candidates.images),
        confidence=job.confidence,
        novelty=outcome.novelty.record if outcome.novelty else None,
        notes=tuple(outcome.notes),
    )


def _own(shipped: Mapping[str, Precision], target: str) -> dict[str, Precision]:
    """The entries of a target that is not the CPU in general, by precision.

    TensorRT runs FP32 and FP16 from the same files, but never the CPU's INT8. OpenVINO runs all
    that the CPU does, and has here only what suits it better.
    """
    shared = ("fp32", "fp16") if target == "tensorrt" else ()
    return {
        name.removesuffix(f"-{target}"): entry
        for name, entry in shipped.items()
        if name in shared or name.endswith(f"-{target}")
    }


def measured_of(comparison: Comparison) -> Measured:
    """Return a comparison as it stands in a manifest."""
    return msgspec.convert(asdict(comparison), Measured)


def refused_of(reason: str, comparison: Comparison | None) -> Refused:
    """Return why an artefact does not ship, and what was measured of it, if it could be made."""
    measured = {} if comparison is None else asdict(comparison)
    return msgspec.convert({"reason": reason, **measured}, Refused)
