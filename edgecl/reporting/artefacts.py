"""Artefacts of an export from its manifest, shipped and refused, in one form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def artefacts(manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the measurements of each artefact by name, such as `int8` and `int8-tensorrt`.

    Args:
        manifest: of a bundle. Its `precisions`, `openvino`, `tensorrt` and `refused` name the
            artefacts; `gate.comparisons`, where it is there, holds by name the fields of
            `export.gate.decision.Comparison`.

    Returns:
        The fields of the manifest's entry and of the comparison, and `shipped` and `reason` (why
        not; empty where it was).
    """
    comparisons: Mapping[str, Any] = (manifest.get("gate") or {}).get("comparisons") or {}
    precisions: Mapping[str, Any] = manifest.get("precisions") or {}
    found = {
        name: {**(comparisons.get(name) or {}), **entry, "shipped": True, "reason": ""}
        for name, entry in precisions.items()
    }
    files = {entry.get("file") for entry in precisions.values()}
    for target in ("openvino", "tensorrt"):
        for name, entry in (manifest.get(target) or {}).items():
            if entry.get("file") in files:
                continue  # one file for several targets
            own = f"{name}-{target}"
            found[own] = {**(comparisons.get(own) or {}), **entry, "shipped": True, "reason": ""}
    for name, entry in (manifest.get("refused") or {}).items():
        found[name] = {
            **(comparisons.get(name) or {}),
            **entry,
            "shipped": False,
            "reason": str(entry.get("reason") or "no reason recorded"),
        }
    return found
