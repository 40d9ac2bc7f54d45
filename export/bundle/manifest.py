"""The bundle on disk: artefacts, calibration record, page, and the manifest that holds it all."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibration.record import FILE as CALIBRATION_FILE
from export.bundle.golden import write_golden
from export.bundle.signing import write_signature
from export.job import Job
from export.outcome import ExportOutcome
from export.stages.artefact import Artefact
from export.stages.int8 import Int8Plan
from runtime.artifact.bundle import (
    MANIFEST,
    MANIFEST_SCHEMA,
    PRECISIONS,
    SUFFIX,
    TARGETS,
    file_digest,
    manifest_digest,
)
from runtime.errors import InputError
from runtime.files.atomic import explained, replacing_folder, write_json
from runtime.session.golden import GOLDEN

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Page = Callable[[Mapping[str, Any], Mapping[str, Any]], str]
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
) -> dict[str, Any]:
    """Write the bundle `out`, whole or not at all.

    Args:
        page: renders `report.html`.
        key: signs the manifest.

    Returns:
        Its manifest.

    Raises:
        InputError: it cannot be written.
    """
    with replacing_folder(out) as folder:
        for name in outcome.shipped:
            path = artefacts[name].path
            (folder / path.name).write_bytes(path.read_bytes())
        if outcome.golden is not None:
            write_golden(folder / GOLDEN, outcome.golden)
        calibration: dict[str, Any] = {}
        if plan is not None and {"int8", "int8-tensorrt"} & set(outcome.shipped):
            calibration = plan.summary()
            write_json(folder / CALIBRATION_FILE, plan.record.to_json())
        manifest = _manifest(job, outcome, artefacts, calibration, out)
        if page is not None:
            (folder / PAGE).write_text(
                page(manifest, outcome.details), encoding="utf-8", errors="backslashreplace"
            )
        manifest["files"] = {
            path.name: {"sha256": file_digest(path), "bytes": path.stat().st_size}
            for path in sorted(folder.iterdir())
        }
        manifest["digest"] = manifest_digest(manifest)
        write_json(folder / MANIFEST, manifest)
        if key is not None:
            write_signature(folder, manifest, key)
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
                    f"{out} holds things that are not of a bundle, and they would be lost",
                    hint="name another --out, or move that folder away",
                )
        elif out.exists() or out.is_symlink():
            raise InputError(
                f"{out} is a file, not a bundle", hint="name another --out, or remove that file"
            )
        above = next(folder for folder in out.absolute().parents if folder.exists())
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{above} is a file")
        if not os.access(above, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, f"{above} may not be written to")


def _manifest(
    job: Job,
    outcome: ExportOutcome,
    artefacts: Mapping[str, Artefact],
    calibration: Mapping[str, Any],
    out: Path,
) -> dict[str, Any]:
    shipped = {name: asdict(entry) for name, entry in outcome.shipped.items()}
    return {
        "schema": MANIFEST_SCHEMA,
        "name": out.name.removesuffix(SUFFIX),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "edgecl_version": job.version,
        "contract": job.contract.to_json(),
        "files": {},
        "precisions": {name: entry for name, entry in shipped.items() if name in PRECISIONS},
        **{target: _own(shipped, target) for target in TARGETS if target != "cpu"},
        "refused": {
            name: {"reason": reason, **_measured(outcome, name)}
            for name, reason in outcome.refused.items()
        },
        "gate": {
            **asdict(job.limits),
            "validation_images": len(job.validation),
            "reference_accuracy": outcome.comparisons["fp32"].reference_accuracy,
            "comparisons": {
                name: asdict(comparison) for name, comparison in outcome.comparisons.items()
            },
            "engines": {
                name: {
                    engine: {
                        "accuracy": found.accuracy,
                        "agreement": found.agreement,
                        "max_abs_diff": found.max_abs_diff,
                    }
                    for engine, found in artefact.proof.engines.items()
                }
                for name, artefact in artefacts.items()
            },
        },
        "rewrites": list(artefacts["fp32"].rewrites),
        "compiled": {
            name: artefact.compiled_by
            for name, artefact in artefacts.items()
            if artefact.compiled_by
        },
        "origin": dict(job.origin),
        "calibration": dict(calibration),
        "notes": list(outcome.notes),
    }


def _own(shipped: Mapping[str, Any], target: str) -> dict[str, Any]:
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


def _measured(outcome: ExportOutcome, name: str) -> dict[str, Any]:
    """What was measured of an artefact; nothing of one that could not be made."""
    comparison = outcome.comparisons.get(name)
    return {} if comparison is None else asdict(comparison)
