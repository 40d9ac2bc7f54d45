"""The page of an export: what each precision loses, what escapes, and what calibration chose."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from edgecl.reporting.artefacts import artefacts
from edgecl.reporting.numbers import amount, decimal, number, percent
from edgecl.reporting.page import render_page
from edgecl.reporting.pages.escapes import escape_groups
from edgecl.reporting.pages.layers import layer_rows
from edgecl.reporting.pages.range_histograms import HEIGHT, WIDTH, range_histograms
from edgecl.reporting.plots.calibration_curve import calibration_curve, curve_text

ManifestEntry = Mapping[str, Any]

FIRST_LAYERS = 20
"""Number of layers that are shown at once; the others unfold."""

_ORIGIN = ("run", "encoder", "method", "image_size", "data", "split", "seed")
_CALIBRATION = ("algorithm", "method", "selection", "images")


def render_export(manifest: ManifestEntry, details: ManifestEntry) -> str:
    """The page as one HTML text.

    Args:
        manifest: the bundle's, as `edgecl.reporting.artefacts` reads it.
        details: plain JSON; what is missing or empty leaves its section out:

            algorithms: the algorithms tried, [{algorithm, accuracy, agreement, snr_db, chosen}].
            sensitivity: [{layer, accuracy, agreement, snr_db, kept}], each layer quantised alone.
            curve: [{images, accuracies: [...], enough}], accuracy by the number of calibration
                images, of several draws; `enough` is true for the size that is.
            histograms: [{layer, edges: [low, high], counts: [...], range: [low, high]}], the
                values that enter a layer, in bins of equal width, and the range that was kept.
            escapes: by artefact, [{file, label, reference, answered, image: PNG in Base64}],
                with reference_confidence and confidence where they are known; `answered` is
                empty where there was no answer.
            rewrites: what was changed in the graph, in words.
            kept: names of the layers left in floating point.
            notes: sentences, such as `export.gate.decision.caveat` gives; else the manifest's.

            Accuracy and agreement are shares, 0 to 1; `snr_db` is of the logits against FP32's.
    """
    found = artefacts(manifest)
    gate: ManifestEntry = manifest.get("gate") or {}
    reference = _reference(gate, found)
    curve = details.get("curve") or []
    return render_page(
        "export.html",
        name=str(manifest.get("name") or "export"),
        subtitle=_subtitle(manifest),
        refused={n: _sentence(entry["reason"]) for n, entry in found.items() if entry["reason"]},
        shipped=[name for name, entry in found.items() if entry["shipped"]],
        limits=_limits(gate),
        figures=_figures(found, reference),
        rows=[reference, *(_row(name, entry) for name, entry in found.items())],
        engines=_engines(gate),
        recall=_recall(found),
        escapes=escape_groups(found, details.get("escapes") or {}),
        algorithms=details.get("algorithms") or [],
        curve=calibration_curve(curve, reference["accuracy"]),
        curve_text=curve_text(curve, reference["accuracy"]),
        layers=layer_rows(details.get("sensitivity") or [], reference["accuracy"]),
        first=FIRST_LAYERS,
        width=WIDTH,
        height=HEIGHT,
        histograms=range_histograms(details.get("histograms") or []),
        rewrites=details.get("rewrites") or manifest.get("rewrites") or [],
        kept=details.get("kept") or (manifest.get("calibration") or {}).get("kept") or [],
        notes=[_sentence(note) for note in details.get("notes") or manifest.get("notes") or []],
        facts=_facts(manifest),
    )


def _reference(gate: ManifestEntry, found: Mapping[str, ManifestEntry]) -> dict[str, Any]:
    """The row of the trained network."""
    measured: ManifestEntry = next((e for e in found.values() if e.get("reference_interval")), {})
    accuracy = number(gate.get("reference_accuracy"))
    if accuracy is None:
        accuracy = number(measured.get("reference_accuracy"))
    return {
        **_row("", {"accuracy_interval": measured.get("reference_interval")}),
        "accuracy": accuracy,
    }


def _row(name: str, entry: ManifestEntry) -> dict[str, Any]:
    """A row of the table of precisions; what was not measured is None."""
    fields = ("accuracy", "test_accuracy", "agreement", "mcnemar_p", "bytes")
    counts = ("lost", "gained", "escapes", "caught", "images")
    return {
        "name": name,
        "largest": _change(number(entry.get("max_abs_diff"))),
        "shipped": entry.get("shipped"),
        **{field: number(entry.get(field)) for field in (*fields, "escape_rate")},
        **{field: entry.get(field) for field in counts},
        "interval": entry.get("accuracy_interval"),
        "escape_interval": entry.get("escape_interval"),
    }


def _engines(gate: ManifestEntry) -> list[dict[str, Any]]:
    """A row per artefact and engine; empty where no artefact was run in two engines."""
    measured: Mapping[str, Mapping[str, ManifestEntry]] = gate.get("engines") or {}
    if all(len(engines) < 2 for engines in measured.values()):
        return []
    return [
        {**_row(name, entry), "engine": engine}
        for name, engines in measured.items()
        for engine, entry in engines.items()
    ]


def _recall(found: Mapping[str, ManifestEntry]) -> dict[str, Any] | None:
    """A row per class, with a cell per artefact; None where the classes were not measured."""
    measured = {name: entry["classes"] for name, entry in found.items() if entry.get("classes")}
    if not measured:
        return None
    rows = []
    for number_, first in enumerate(next(iter(measured.values()))):
        cells = [classes[number_] for classes in measured.values()]
        images = first["images"]
        rows.append(
            {
                "label": str(first["label"]),
                "images": images,
                "reference": first["reference"] / images if images else None,
                "cells": [
                    {
                        "recall": cell["candidate"] / images if images else None,
                        "change": cell["candidate"] - cell["reference"],
                        "escapes": cell.get("escapes") or 0,
                    }
                    for cell in cells
                ],
            }
        )
    return {"names": list(measured), "rows": rows}


def _figures(
    found: Mapping[str, ManifestEntry], reference: ManifestEntry
) -> list[tuple[str, str, str]]:
    figures = [
        (
            "Accuracy as trained",
            percent(reference["accuracy"], 2),
            _interval(reference["interval"]) or "of the validation part",
        )
    ]
    for name, entry in found.items():
        if name == "fp32" or number(entry.get("accuracy")) is None:
            continue
        more = _interval(entry.get("accuracy_interval"))
        title = name.upper() if entry["shipped"] else f"{name.upper()}, refused"
        figures.append((title, percent(entry["accuracy"], 2), more))
    sizes = {name: number(entry.get("bytes")) for name, entry in found.items() if entry["shipped"]}
    full = sizes.get("fp32")
    smallest = min((size for size in sizes.values() if size), default=None)
    if full and smallest and smallest < full:
        name = next(name for name, size in sizes.items() if size == smallest)
        figures.append(
            ("Smallest", f"{smallest / 1e6:.2f} MB", f"{name}, {full / smallest:.1f}× smaller")
        )
    return figures


def _interval(ends: Any) -> str:
    return f"95 %: {percent(ends[0])} to {percent(ends[1])}" if ends else ""


def _limits(gate: ManifestEntry) -> str:
    allowed = []
    drop, escapes = number(gate.get("max_drop")), number(gate.get("max_escapes"))
    if drop is not None:
        allowed.append(f"{drop:g} points of accuracy")
    if escapes is not None:
        allowed.append(f"{escapes:g} % of the caught defects")
    if not allowed:
        return ""
    images = gate.get("validation_images")
    text = f"A precision may lose {' and '.join(allowed)}"
    return f"{text}, measured on {images} validation images." if images else f"{text}."


def _change(value: float | None) -> str:
    """A change of a probability; the smallest ones by their order of magnitude."""
    if value is None or value >= 0.0005 or value == 0:
        return decimal(value, 4)
    return f"{value:.0e}".replace("e-0", "e-").replace("-", "−")


def _sentence(text: Any) -> str:
    """A line of the gate as a sentence of the page."""
    spaced = re.sub(r"(?<=\d)%", "\N{NO-BREAK SPACE}%", str(text))
    return spaced if spaced.endswith(".") else f"{spaced}."


def _subtitle(manifest: ManifestEntry) -> str:
    origin: ManifestEntry = manifest.get("origin") or {}
    size = (manifest.get("contract") or {}).get("input") or {}
    parts = [str(origin["encoder"])] if origin.get("encoder") else []
    if origin.get("parameters"):
        parts.append(f"{amount(origin['parameters'])} parameters")
    if size.get("height"):
        parts.append(f"{size['height']}×{size['width']} pixels")
    if origin.get("run"):
        parts.append(f"from {origin['run']}")
    if manifest.get("created"):
        parts.append(str(manifest["created"])[:16].replace("T", " "))
    return " · ".join(parts)


def _facts(manifest: ManifestEntry) -> list[tuple[str, str]]:
    origin: ManifestEntry = manifest.get("origin") or {}
    calibration: ManifestEntry = manifest.get("calibration") or {}
    facts = [(name.replace("_", " "), _plain(origin.get(name))) for name in _ORIGIN]
    facts += [(name, amount(origin[name])) for name in ("parameters", "macs") if origin.get(name)]
    facts += [(f"calibration {name}", _plain(calibration.get(name))) for name in _CALIBRATION]
    facts += [
        (str(name), _plain(value)) for name, value in (manifest.get("versions") or {}).items()
    ]
    facts += [
        ("edgecl", _plain(manifest.get("edgecl_version"))),
        ("made", str(manifest.get("created") or "").replace("T", " ")),
        ("data digest", str(origin.get("data_digest") or "")[:16]),
        ("manifest digest", str(manifest.get("digest") or "")[:16]),
    ]
    return [(name, value) for name, value in facts if value]


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ("×" if len(value) == 2 else ", ").join(str(item) for item in value)
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else str(value)
