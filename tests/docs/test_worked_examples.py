"""The code that the documentation shows is run as it stands."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomllib

from docs import check
from docs.markdown import Block, read_page
from edgecl.cli.shell import run as edgecl

CONTRIBUTING = check.ROOT / "CONTRIBUTING.md"
PACKAGE = "my_line"
RUNNABLE = [
    path
    for path in check.pages()
    if any(block.info == "python runnable" for block in read_page(path).blocks)
]


@pytest.mark.parametrize("path", RUNNABLE, ids=lambda path: path.name)
def test_runnable_blocks(path, workplace):
    names: dict[str, object] = {"__name__": "page"}
    for block in read_page(path).blocks:
        if block.info == "python runnable":
            exec(compile("\n" * (block.line - 1) + block.code, path, "exec"), names)


def blocks_of(section: str) -> list[Block]:
    found = [block for block in read_page(CONTRIBUTING).blocks if block.section == section]
    assert found, section
    return found


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package of CONTRIBUTING's examples, as an installer would leave it."""
    site = tmp_path / "site"
    (site / PACKAGE).mkdir(parents=True)
    (site / PACKAGE / "__init__.py").touch()
    points: dict[str, dict[str, str]] = {}
    for block in read_page(CONTRIBUTING).blocks:
        if block.language == "python":
            (site / block.info.partition("file=")[2]).write_text(block.code, encoding="utf-8")
        elif block.language == "toml":
            points |= tomllib.loads(block.code)["project"]["entry-points"]
    info = site / f"{PACKAGE}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in named.items())
            for group, named in points.items()
        )
    )
    monkeypatch.syspath_prepend(site)
    importlib.invalidate_caches()
    yield site
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def commands(section: str) -> list[list[str]]:
    return [
        words[1:]
        for block in blocks_of(section)
        if block.language == "bash"
        for _, words in check.commands_of(block)
        if words[0] == "edgecl"
    ]


def test_the_camera(installed, workplace, capsys):
    (command,) = commands("add-a-camera")
    assert edgecl(command) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["camera"] == "frames in frames.npy"
    assert (summary["captured"], summary["statuses"]["pass"]) == (6, 3)
    assert edgecl([*command[:-2], "numpy:none.npy"]) == 2
    assert "give a file: --camera numpy:frames.npy" in capsys.readouterr().err


def test_the_sink(installed, workplace):
    (command,) = commands("add-a-sink")
    assert edgecl(command) == 0
    lines = (workplace / "stream" / "rejects.txt").read_text().splitlines()
    assert sorted(line.split()[1] for line in lines) == ["dark"] * 3 + ["middle"] * 3
