"""`edgecl inspect`: what a bundle holds, after its files were verified."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edgecl.cli.options import ANY_PATH


@click.command("inspect", short_help="Show and verify a bundle.")
@click.argument("bundle", type=ANY_PATH, metavar="BUNDLE")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(bundle: Path, as_json: bool) -> None:
    """Verify every file of BUNDLE and show its precisions, labels, input and origin.

    Exits 2 where a file is missing or was changed after the export.
    """
    from runtime.bundle import load_bundle

    summary = summarise(load_bundle(bundle).manifest, bundle)
    if as_json:
        click.echo(json.dumps(summary, indent=2, ensure_ascii=False))
    else:
        _print(summary)


def summarise(manifest: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What `--json` prints: the verified manifest, its contract spread out.

    Args:
        manifest: as `load_bundle` verified it.
        path: the bundle's folder.
    """
    contract = manifest["contract"]
    return {
        "bundle": str(path),
        "name": manifest.get("name", path.stem),
        "verified": True,
        "schema": manifest["schema"],
        "created": manifest.get("created"),
        "edgecl_version": manifest.get("edgecl_version"),
        "precisions": manifest["precisions"],
        "refused": manifest.get("refused", {}),
        "labels": contract["labels"],
        "pass_labels": contract.get("pass_labels", []),
        "input": contract["input"],
        "origin": manifest.get("origin", {}),
        "calibration": manifest.get("calibration"),
        "files": manifest["files"],
        "digest": manifest["digest"],
    }


def _print(summary: Mapping[str, Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("precision")
    for name in ("accuracy (validation)", "(test)", "agreement", "max difference", "MB"):
        table.add_column(name, justify="right")
    for name, precision in summary["precisions"].items():
        cells = (
            name,
            _percent(precision["accuracy"]),
            _percent(precision.get("test_accuracy")),
            _percent(precision["agreement"]),
            f"{precision['max_abs_diff']:.2g}",
            f"{precision['bytes'] / 1e6:.2f}",
        )
        table.add_row(*(Text(cell) for cell in cells))
    size = summary["input"]
    files = summary["files"]
    lines = [
        f"{summary['bundle']}: {len(files)} file{'s' * (len(files) != 1)}, every hash verified",
        f"made {summary['created'] or 'at an unknown time'} by edgecl "
        f"{summary['edgecl_version'] or 'of an unknown version'}{_origin(summary['origin'])}",
        f"input {size['height']}x{size['width']} gray uint8, resized by {size['interpolation']}",
        f"labels: {', '.join(summary['labels'])}",
        f"passing: {', '.join(summary['pass_labels']) or 'none, every part is rejected'}",
    ]
    for line in lines:
        console.print(Text(line))
    console.print(table)
    for name, refusal in summary["refused"].items():
        console.print(Text(f"refused at export: {name} ({refusal.get('reason', 'no reason')})"))
    for name, entry in files.items():
        console.print(Text(f"{entry['sha256'][:16]}…  {entry['bytes']:>12,}  {name}"))


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


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"
