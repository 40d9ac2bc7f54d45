"""The code that the documentation shows is run as it stands."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomllib

from docs import check
from docs.markdown import Block, read_page
from edgecl.cli.shell import run as edgecl
from tests.docs.conftest import PARTS

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
    assert sorted(line.split()[1] for line in lines) == ["dark"] * PARTS + ["middle"] * PARTS


def test_the_engine(installed, workplace, capsys):
    (command,) = commands("add-an-engine")
    assert edgecl(command) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["engine"], summary["judged"]) == ("reference", 3 * PARTS)
    assert summary["accuracy"]["right"] == 3 * PARTS
    assert edgecl(["bench", "line.edgecl", "--frames", "5", "--out", "bench", "--json"]) == 0
    sides = json.loads(capsys.readouterr().out)["sides"]
    assert "line fp32 reference" in [side["label"] for side in sides]


def test_the_encoder(installed, workplace, monkeypatch):
    # In a process of its own: the command line asks once which encoders there are.
    monkeypatch.setenv("PYTHONPATH", f"{installed}:{check.ROOT}")
    each = (
        f"from edgecl.cli.shell import run; print([run(c) for c in {commands('add-an-encoder')}])"
    )
    done = subprocess.run([sys.executable, "-c", each], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[0, 0]", done.stderr
    result = json.loads((workplace / "runs" / "tiny" / "result.json").read_text())
    assert result["encoder"] == "tiny"
    assert (workplace / "tiny.edgecl" / "model.int8.onnx").is_file()
