"""The page of an export: what each precision loses, what escapes, and what calibration chose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from edgecl.reporting.artefacts import ArtefactFigures, artefacts
from edgecl.reporting.numbers import DASH, amount, decimal, number, percent
from edgecl.reporting.page import render_page
from edgecl.reporting.pages.escapes import escape_groups
from edgecl.reporting.pages.heat_maps import heat_map_cards
from edgecl.reporting.pages.layers import layer_rows
from edgecl.reporting.pages.range_histograms import HEIGHT, WIDTH, range_histograms
from edgecl.reporting.plots.calibration_curve import calibration_curve, curve_text
from runtime.artifact.manifest import Gate, Manifest
from runtime.statistics import Interval

FIRST_LAYERS = 20
"""Number of layers that are shown at once; the others unfold."""

_ORIGIN = ("run", "encoder", "method", "image_size", "data", "split", "seed")
_CALIBRATION = ("algorithm", "selection", "images")
_COUNTED = (
    "mcnemar_p",
    "lost",
    "gained",
    "escapes",
    "caught",
    "images",
    "escape_rate",
    "escape_interval",
)
# A row of the table of precisions before anything is known.
_NOTHING: dict[str, Any] = {
    **dict.fromkeys(("shipped", "accuracy", "test_accuracy", "agreement", "bytes", "interval")),
    **dict.fromkeys(_COUNTED),
    "name": "",
    "largest": DASH,
}


def render_export(manifest: Manifest, details: Mapping[str, Any]) -> str:
    """The page as one HTML text.

    Args:
        manifest: the bundle's.
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
            heat_maps: [{file, label, confidence, image: PNG in Base64}], rejected images, each
                beside itself under its heat map.
            rewrites: what was changed in the graph, in words.
            kept: names of the layers left in floating point.
            notes: sentences, such as `export.gate.decision.caveat` gives; else the manifest's.

            Accuracy and agreement are shares, 0 to 1; `snr_db` is of the logits against FP32's.
    """
    found = artefacts(manifest)
    reference = _reference(manifest.gate, found)
    curve = details.get("curve") or []
    return render_page(
        "export.html",
        name=manifest.name or "export",
        subtitle=_subtitle(manifest),
        refused={n: _sentence(entry.reason) for n, entry in found.items() if entry.reason},
        shipped=[name for name, entry in found.items() if entry.shipped],
        limits=_limits(manifest.gate),
        unproven={n: _sentence(reason) for n, reason in manifest.gate.unproven.items()},
        remedies=manifest.gate.remedies,
        figures=_figures(found, reference),
        rows=[reference, *(_row(name, entry) for name, entry in found.items())],
        engines=_engines(manifest.gate),
        recall=_recall(found),
        escapes=escape_groups(found, details.get("escapes") or {}),
        heat_maps=heat_map_cards(details.get("heat_maps") or []),
        algorithms=details.get("algorithms") or [],
        curve=calibration_curve(curve, reference["accuracy"]),
        curve_text=curve_text(curve, reference["accuracy"]),
        layers=layer_rows(details.get("sensitivity") or [], reference["accuracy"]),
        first=FIRST_LAYERS,
        width=WIDTH,
        height=HEIGHT,
        histograms=range_histograms(details.get("histograms") or []),
        rewrites=details.get("rewrites") or manifest.rewrites,
        kept=details.get("kept") or manifest.calibration.kept or [],
        notes=_notes(manifest, details),
        facts=_facts(manifest),
    )


def _notes(manifest: Manifest, details: Mapping[str, Any]) -> list[str]:
    """Sentences for what the page does not say elsewhere."""
    told = {f"{name} is unproven: {why}" for name, why in manifest.gate.unproven.items()}
    notes = details.get("notes") or manifest.notes
    return [_sentence(note) for note in notes if note not in told]


def _reference(gate: Gate, found: Mapping[str, ArtefactFigures]) -> dict[str, Any]:
    """The row of the trained network."""
    measured = next((e.measured for e in found.values() if e.measured.reference_interval), None)
    accuracy = gate.reference_accuracy
    if accuracy is None and measured is not None:
        accuracy = measured.reference_accuracy
    interval = None if measured is None else measured.reference_interval
    return {**_NOTHING, "accuracy": accuracy, "interval": interval}


def _row(name: str, entry: ArtefactFigures) -> dict[str, Any]:
    """A row of the table of precisions; what was not measured is None."""
    measured, shipped = entry.measured, entry.shipped
    return {
        "name": name,
        "largest": _change(number(entry.max_abs_diff)),
        "shipped": shipped is not None,
        "accuracy": number(entry.accuracy),
        "test_accuracy": shipped.test_accuracy if shipped else None,
        "agreement": entry.agreement,
        "bytes": shipped.bytes if shipped else None,
        "interval": measured.accuracy_interval,
        **{field: getattr(measured, field) for field in _COUNTED},
    }


def _engines(gate: Gate) -> list[dict[str, Any]]:
    """A row per artefact and engine; empty where no artefact was run in two engines."""
    if all(len(engines) < 2 for engines in gate.engines.values()):
        return []
    return [
        {
            **_NOTHING,
            "name": name,
            "engine": engine,
            "accuracy": entry.accuracy,
            "agreement": entry.agreement,
            "largest": _change(number(entry.max_abs_diff)),
        }
        for name, engines in gate.engines.items()
        for engine, entry in engines.items()
    ]


def _recall(found: Mapping[str, ArtefactFigures]) -> dict[str, Any] | None:
    """A row per class, with a cell per artefact; None where the classes were not measured."""
    measured = {name: e.measured.classes for name, e in found.items() if e.measured.classes}
    if not measured:
        return None
    rows = []
    for number_, first in enumerate(next(iter(measured.values()))):
        cells = [classes[number_] for classes in measured.values()]
        images = first.images
        rows.append(
            {
                "label": first.label,
                "images": images,
                "reference": first.reference / images if images else None,
                "cells": [
                    {
                        "recall": cell.candidate / images if images else None,
                        "change": cell.candidate - cell.reference,
                        "escapes": cell.escapes,
                    }
                    for cell in cells
                ],
            }
        )
    return {"names": list(measured), "rows": rows}


def _figures(
    found: Mapping[str, ArtefactFigures], reference: Mapping[str, Any]
) -> list[tuple[str, str, str]]:
    figures = [
        (
            "Accuracy as trained",
            percent(reference["accuracy"], 2),
            _interval(reference["interval"]) or "of the validation part",
        )
    ]
    for name, entry in found.items():
        if name == "fp32" or number(entry.accuracy) is None:
            continue
        more = _interval(entry.measured.accuracy_interval)
        title = name.upper() if entry.shipped else f"{name.upper()}, refused"
        figures.append((title, percent(entry.accuracy, 2), more))
    sizes = {name: entry.shipped.bytes for name, entry in found.items() if entry.shipped}
    full = sizes.get("fp32")
    smallest = min((size for size in sizes.values() if size), default=None)
    if full and smallest and smallest < full:
        name = next(name for name, size in sizes.items() if size == smallest)
        figures.append(
            ("Smallest", f"{smallest / 1e6:.2f} MB", f"{name}, {full / smallest:.1f}× smaller")
        )
    return figures


def _interval(ends: Interval | None) -> str:
    return f"95 %: {percent(ends[0])} to {percent(ends[1])}" if ends else ""


def _limits(gate: Gate) -> str:
    allowed = []
    if gate.max_drop is not None:
        allowed.append(f"{gate.max_drop:g} points of accuracy")
    if gate.max_escapes is not None:
        allowed.append(f"{gate.max_escapes:g} % of the caught defects")
    if not allowed:
        return ""
    images = gate.validation_images
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


def _subtitle(manifest: Manifest) -> str:
    origin, size = manifest.origin, manifest.contract.input
    parts = [origin.encoder] if origin.encoder else []
    if origin.parameters:
        parts.append(f"{amount(origin.parameters)} parameters")
    parts.append(f"{size.height}×{size.width} pixels")
    if origin.run:
        parts.append(f"from {origin.run}")
    if manifest.created:
        parts.append(manifest.created[:16].replace("T", " "))
    return " · ".join(parts)


def _facts(manifest: Manifest) -> list[tuple[str, str]]:
    origin, calibration = manifest.origin, manifest.calibration
    facts = [(name.replace("_", " "), _plain(getattr(origin, name))) for name in _ORIGIN]
    counts = (("parameters", origin.parameters), ("macs", origin.macs))
    facts += [(name, amount(count)) for name, count in counts if count]
    facts += [(f"calibration {name}", _plain(getattr(calibration, name))) for name in _CALIBRATION]
    if manifest.confidence is not None:
        facts.append(("confidence", manifest.confidence.describe()))
    if manifest.novelty is not None:
        facts.append(("unknown images", manifest.novelty.describe()))
    facts += [
        ("edgecl", manifest.edgecl_version),
        ("made", manifest.created.replace("T", " ")),
        ("data digest", (origin.data_digest or "")[:16]),
        ("manifest digest", manifest.digest[:16]),
    ]
    return [(name, value) for name, value in facts if value]


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return "×".join(str(item) for item in value)
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else str(value)
