"""Output of `edgecl inspect` for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgecl.reporting.artefacts import artefacts

_CALIBRATION = ("algorithm", "method", "selection")


def print_summary(summary: Mapping[str, Any]) -> None:
    """Print the object that `--json` prints, as lines and a table.

    Args:
        summary: of `edgecl inspect`.
    """
    console = Console(highlight=False)
    for line in _lines(summary):
        console.print(_plain(line))
    found = artefacts(summary)
    console.print(_table({name: entry for name, entry in found.items() if entry["shipped"]}))
    for name, entry in found.items():
        if not entry["shipped"]:
            console.print(_plain(f"refused at export: {name} ({entry['reason']})"))
    for name, entry in summary["files"].items():
        console.print(_plain(f"{entry['sha256'][:16]}…  {entry['bytes']:>12,}  {name}"))
    for engine in summary["engines"]:
        console.print(_plain(_engine(engine)))
    if summary["engines"] and summary["signature"]["state"] != "none":
        console.print(
            "engines are not signed: 'run --verify-key' uses only engines built on this machine"
        )
    for name in summary["unnamed"]:
        console.print(_plain(f"not in the manifest, so not verified: {name}"))


def _lines(summary: Mapping[str, Any]) -> list[str]:
    size, files = summary["input"], summary["files"]
    lines = [
        f"{summary['bundle']}: {len(files)} file{'s' * (len(files) != 1)}, all hashes verified",
        f"made {summary['created'] or 'at an unknown time'} by edgecl "
        f"{summary['edgecl_version'] or 'of an unknown version'}{_origin(summary['origin'])}",
        f"signature: {_signature(summary['signature'])}",
        f"input {size['height']}x{size['width']} gray uint8, {size['interpolation']} "
        f"interpolation{_depth(size.get('bits'))}",
        f"labels: {', '.join(summary['labels'])}",
        f"pass labels: {', '.join(summary['pass_labels']) or 'none, every part is rejected'}",
        _gate(summary["gate"]),
        _calibration(summary["calibration"] or {}),
        f"rewrites: {', '.join(map(str, summary['rewrites']))}" if summary["rewrites"] else "",
    ]
    return [line for line in lines if line]


def _depth(bits: int | None) -> str:
    return "" if bits is None else f"; 16-bit frames use {bits} bits"


def _signature(signature: Mapping[str, Any]) -> str:
    return {
        "verified": f"verified, made with key {signature['key']}",
        "unchecked": f"claims key {signature['key']}; not checked without --verify-key",
        "damaged": "damaged",
    }.get(signature["state"], "none")


def _gate(gate: Mapping[str, Any]) -> str:
    limits = []
    if gate.get("max_drop") is not None:
        limits.append(f"{gate['max_drop']:g} points of accuracy")
    if gate.get("max_escapes") is not None:
        limits.append(f"{gate['max_escapes']:g}% escapes")
    if not limits:
        return ""
    images = gate.get("validation_images")
    return f"gate: at most {' and '.join(limits)}" + (
        f", on {images} validation images" if images else ""
    )


def _calibration(calibration: Mapping[str, Any]) -> str:
    how = [str(calibration[name]) for name in _CALIBRATION if calibration.get(name)]
    images = calibration.get("images")
    if isinstance(images, int):
        how.append(f"{images} images")
    if calibration.get("kept"):
        how.append(f"kept in floating point: {', '.join(map(str, calibration['kept']))}")
    return f"calibrated: {', '.join(how)}" if how else ""


def _table(shipped: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("\nprecision")
    # What a bundle of an earlier edgecl never measured gets no column of dashes.
    proven = any(entry.get("caught") is not None for entry in shipped.values())
    columns = ["accuracy\n(val.)", "accuracy\n(test)", "agree-\nment", "largest\nchange"]
    columns += ["escapes\n/caught", "rate\nat most"] if proven else []
    for name in (*columns, "\nMB"):
        table.add_column(name, justify="right")
    for name, entry in shipped.items():
        cells = [
            name,
            _percent(entry["accuracy"]),
            _percent(entry.get("test_accuracy")),
            _percent(entry["agreement"]),
            f"{entry['max_abs_diff']:.2g}",
        ]
        if proven:
            cells += _escapes(entry)
        cells.append(f"{entry['bytes'] / 1e6:.2f}")
        table.add_row(*(_plain(cell) for cell in cells))
    return table


def _escapes(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Return the number of escapes and the upper end of their rate's interval."""
    interval = entry.get("escape_interval")
    if not interval:
        return "–", "–"
    return f"{entry['escapes']}/{entry['caught']}", f"{interval[1]:.1%}"


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


def _origin(origin: Mapping[str, Any]) -> str:
    parts = []
    if origin.get("encoder"):
        parts.append(f"{origin['encoder']}")
    if origin.get("parameters"):
        parts.append(f"{origin['parameters']:,} parameters")
    if origin.get("macs"):
        parts.append(f"{origin['macs'] / 1e6:,.1f} MMAC")
    if origin.get("run"):
        parts.append(f"from {origin['run']}")
    return f": {', '.join(parts)}" if parts else ""


def _plain(text: str) -> Text:
    """Strip markup and terminal controls: a bundle may come from anywhere."""
    return Text("".join(c if c.isprintable() else ascii(c)[1:-1] for c in text))


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"
