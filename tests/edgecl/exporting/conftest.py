"""One export of the small run, as the command line makes it without options."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edgecl.cli.shell import run
from tests.made_once import MadeOnce, spared_exports


@dataclass(frozen=True)
class PlainExport:
    """An export: its bundle, the JSON that it printed, and what it told."""

    bundle: Path
    printed: dict[str, Any]
    told: str


@pytest.fixture(scope="session")
def exported(trained_run: Path, made_once: MadeOnce) -> PlainExport:
    def export(folder: Path) -> None:
        folder.mkdir()
        out, told = io.StringIO(), io.StringIO()
        command = ["export", str(trained_run), "--out", str(folder / "line.edgecl"), "--json"]
        with (
            spared_exports(made_once),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(told),
        ):
            assert run(command) == 0
        (folder / "out").write_text(out.getvalue())
        (folder / "told").write_text(told.getvalue())

    folder = made_once("exports/plain", export)
    printed = json.loads((folder / "out").read_text())
    return PlainExport(folder / "line.edgecl", printed, (folder / "told").read_text())
