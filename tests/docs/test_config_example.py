"""The configuration in docs/run.md runs, and shows every key."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np

from docs.check import ROOT
from docs.markdown import read_page
from edgecl.cli.run.config.keys import KEYS
from edgecl.cli.shell import run


def example() -> str:
    (block,) = (
        block for block in read_page(ROOT / "docs" / "run.md").blocks if block.info == "toml config"
    )
    return block.code


def test_every_key_is_shown():
    text = example()
    for path in KEYS.values():
        shown = [f"\n{path[-1]} = ", f"\n# {path[-1]} = ", f"[{'.'.join(path)}]", f"[{path[0]}."]
        assert any(form in text for form in shown), path


def test_it_runs(tmp_path, monkeypatch, make_bundle, capsys):
    # Nobody who runs the tests gets a scheduling class by it.
    for terms in ("_scheduled", "_locked"):
        monkeypatch.setattr(f"runtime.realtime.{terms}", lambda *_: nullcontext())
    make_bundle(
        tmp_path / "line.edgecl", labels=("clean", "stain", "scratch"), pass_labels=("clean",)
    )
    (tmp_path / "line.toml").write_text(example(), encoding="utf-8")
    for number, level in enumerate((40, 128, 215, 215)):
        (tmp_path / "parts").mkdir(exist_ok=True)
        path = tmp_path / "parts" / f"{number}.png"
        cv2.imwrite(str(path), np.full((40, 60), level, np.uint8))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    # The page's camera is none of this machine's, and its deadline none for a machine at work.
    given = ["--camera", "../parts", "--every-frame", "--budget", "total=100s", "--out", "o"]
    assert run(["run", "--config", "../line.toml", *given]) == 0
    capsys.readouterr()
    out = Path("o")
    lines = [json.loads(line) for line in (out / "verdicts.jsonl").read_text().splitlines()]
    assert [line["status"] for line in lines] == ["pass", "pass", "pass", "reject"]
    assert lines[2]["answer"] == "reject"
    assert (out / "copy.jsonl").read_text() == (out / "verdicts.jsonl").read_text()
    summary = json.loads((out / "summary.json").read_text())
    assert summary["unsure_below_of"] == {"scratch": 0.6}
    assert Path(summary["model"]).samefile(tmp_path / "line.edgecl")
