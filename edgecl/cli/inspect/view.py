"""Output of `edgecl inspect` for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgecl.cli.inspect.inspection import Inspection
from edgecl.reporting.artefacts import ArtefactFigures, artefacts
from runtime.artifact.manifest import (
    CalibrationFacts,
    Gate,
    InputRecord,
    Measured,
    Origin,
    RoiRecord,
)
from runtime.artifact.roi import Roi
from runtime.artifact.tiling import Tiling
from runtime.counting import counted


def print_inspection(found: Inspection) -> None:
    """Print what was found as lines and a table."""
    console = Console(highlight=False)
    for line in _lines(found):
        console.print(_plain(line))
    figures = artefacts(found.manifest)
    console.print(_table({name: entry for name, entry in figures.items() if entry.shipped}))
    for name, entry in figures.items():
        if not entry.shipped:
            console.print(_plain(f"refused at export: {name} ({entry.reason})"))
    for name, reason in found.manifest.gate.unproven.items():
        console.print(_plain(f"unproven at export: {name} ({reason})"))
    for remedy in found.manifest.gate.remedies:
        console.print(_plain(f"remedy at export: {remedy.remedy} ({remedy.result})"))
    for name, file in found.manifest.files.items():
        console.print(_plain(f"{file.sha256[:16]}…  {file.bytes:>12,}  {name}"))
    for engine in found.engines:
        console.print(_plain(_engine(engine)))
    if found.engines and found.signature["state"] != "none":
        console.print(
            "engines are not signed: 'run --verify-key' uses only engines built on this machine"
        )
    for name in found.unnamed:
        console.print(_plain(f"not in the manifest, so not verified: {name}"))


def _lines(found: Inspection) -> list[str]:
    manifest = found.manifest
    contract, files, rewrites = manifest.contract, manifest.files, manifest.rewrites
    size = contract.input
    lines = [
        f"{found.bundle}: {counted(len(files), 'file')}, all hashes verified",
        f"made {manifest.created or 'at an unknown time'} by edgecl "
        f"{manifest.edgecl_version or 'of an unknown version'}{_origin(manifest.origin)}",
        f"signature: {_signature(found.signature)}",
        f"input {size.height}x{size.width} gray uint8, {_geometry(size)}{_depth(size.bits)}"
        f"{_roi(size.roi)}{'; with a flat-field' if size.flat else ''}",
        f"labels: {', '.join(contract.labels)}",
        f"pass labels: {', '.join(contract.pass_labels) or 'none, every part is rejected'}",
        _gate(manifest.gate),
        _calibration(manifest.calibration),
        f"confidence: {manifest.confidence.describe()}" if manifest.confidence else "",
        f"novelty: {manifest.novelty.describe()}" if manifest.novelty else "",
        f"rewrites: {', '.join(rewrites)}" if rewrites else "",
    ]
    return [line for line in lines if line]


def _geometry(size: InputRecord) -> str:
    """Describe how frames become the input."""
    tiling = size.tiling
    if tiling is None:
        return f"{size.interpolation} interpolation"
    shape = (size.height, size.width)
    return Tiling(shape, tiling.stride, tiling.scale, tiling.combine).describe()


def _depth(bits: int | None) -> str:
    return "" if bits is None else f"; 16-bit frames use {bits} bits"


def _roi(roi: RoiRecord | None) -> str:
    if roi is None:
        return ""
    return f"; frames are cut to the ROI {Roi(roi.left, roi.top, roi.width, roi.height)}"


def _signature(signature: Mapping[str, str | None]) -> str:
    return {
        "verified": f"verified, made with key {signature['key']}",
        "unchecked": f"claims key {signature['key']}; not checked without --verify-key",
        "damaged": "damaged",
    }.get(str(signature["state"]), "none")


def _gate(gate: Gate) -> str:
    limits = []
    if gate.max_drop is not None:
        limits.append(f"{gate.max_drop:g} points of accuracy")
    if gate.max_escapes is not None:
        limits.append(f"{gate.max_escapes:g}% escapes")
    if not limits:
        return ""
    images = gate.validation_images
    return f"gate: at most {' and '.join(limits)}" + (
        f"{', by count' if gate.strict else ''}"
        f"{f', on {images} validation images' if images else ''}"
    )


def _calibration(calibration: CalibrationFacts) -> str:
    how = [text for text in (calibration.algorithm, calibration.selection) if text]
    if calibration.images is not None:
        how.append(f"{counted(calibration.images, 'image')}")
    if calibration.kept:
        how.append(f"kept in floating point: {', '.join(calibration.kept)}")
    return f"calibrated: {', '.join(how)}" if how else ""


def _table(shipped: Mapping[str, ArtefactFigures]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("\nprecision")
    # What a bundle of an earlier edgecl never measured gets no column of dashes.
    proven = any(entry.measured.caught is not None for entry in shipped.values())
    columns = ["accuracy\n(val.)", "accuracy\n(test)", "agree-\nment", "largest\nchange"]
    columns += ["escapes\n/caught", "rate\nat most"] if proven else []
    for name in (*columns, "\nMB"):
        table.add_column(name, justify="right")
    for name, entry in shipped.items():
        held = entry.shipped
        assert held is not None
        cells = [
            name,
            _percent(held.accuracy),
            _percent(held.test_accuracy),
            _percent(held.agreement),
            f"{held.max_abs_diff:.2g}",
        ]
        if proven:
            cells += _escapes(entry.measured)
        cells.append(f"{held.bytes / 1e6:.2f}")
        table.add_row(*(_plain(cell) for cell in cells))
    return table


def _escapes(measured: Measured) -> tuple[str, str]:
    """Return the number of escapes and the upper end of their rate's interval."""
    interval = measured.escape_interval
    if not interval:
        return "–", "–"
    return f"{measured.escapes}/{measured.caught}", f"{interval[1]:.1%}"


def _engine(engine: Mapping[str, Any]) -> str:
    """Describe one built engine, and whether it fits this machine."""
    if engine["state"] == "damaged":
        return f"damaged engine: {engine['reason']}"
    least, best, most = engine["batches"]
    batches = f", batches min {least}, opt {best}, max {most}" if most > 1 else ""
    verdict = {"fits": "fits this machine", "unknown": "not comparable"}.get(
        engine["state"], engine["state"]
    )
    rtx = " for RTX" if engine["module"] == "tensorrt_rtx" else ""
    return (
        f"engine {engine['precision']}: TensorRT{rtx} {engine['tensorrt']} for {engine['device']} "
        f"({engine['compute_capability']}){batches}, {engine['bytes'] / 1e6:.2f} MB, built "
        f"{engine['built'][:19]} in {engine['seconds']:.1f} s: {verdict}"
        + (f" ({engine['reason']})" if engine["reason"] else "")
        + f"  {engine['file']}"
    )


def _origin(origin: Origin) -> str:
    parts = []
    if origin.encoder:
        parts.append(origin.encoder)
    if origin.parameters:
        parts.append(f"{origin.parameters:,} parameters")
    if origin.macs:
        parts.append(f"{origin.macs / 1e6:,.1f} MMAC")
    if origin.run:
        parts.append(f"from {origin.run}")
    return f": {', '.join(parts)}" if parts else ""


def _plain(text: str) -> Text:
    """Strip markup and terminal controls: a bundle may come from anywhere."""
    return Text("".join(c if c.isprintable() else ascii(c)[1:-1] for c in text))


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"
