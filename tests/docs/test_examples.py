"""The example programs do what they say, on a bundle that tells brightness apart."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from docs.check import ROOT
from runtime.errors import InputError

EXAMPLES = ROOT / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name, value in (("a", 215), ("b", 40), ("c", 215)):
        cv2.imwrite(str(folder / f"{name}.png"), np.full((40, 60), value, np.uint8))
    (folder / "d.png").write_bytes((folder / "a.png").read_bytes()[:60])
    return folder


def test_every_example_is_tested():
    tested = {"judge_folder", "custom_camera", "compare_latency"}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == tested


def test_judging_a_folder(make_bundle, images, capsys):
    assert load("judge_folder").judge(str(make_bundle()), str(images)) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("b.png: reject dark ")
    assert lines[1].startswith("d.png: fault ")
    assert lines[-1] == "4 images, 2 do not pass, 1 are faulty"


def test_a_camera_of_ones_own(make_bundle):
    counts = load("custom_camera").count_verdicts(str(make_bundle()), 20)
    assert counts == {"pass": 16, "reject": 4}


def test_comparing_two_bundles(make_bundle, tmp_path, capsys):
    first = make_bundle(tmp_path / "first.edgecl", precisions=("fp32", "int8"))
    second = make_bundle(tmp_path / "second.edgecl", precisions=("fp32",))
    module = load("compare_latency")
    report = module.compare(first, second, frames=10)
    assert [side.label for side in report.sides] == [
        "first fp32 onnxruntime",
        "second fp32 onnxruntime",
    ]
    module.print_comparison(report)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("first fp32 onnxruntime: p50 ")
    assert ", 1.00 of the first, " in lines[0]


def test_bundles_that_share_no_precision_are_refused(make_bundle, tmp_path):
    first = make_bundle(tmp_path / "first.edgecl", precisions=("fp32",))
    second = make_bundle(tmp_path / "second.edgecl", precisions=("int8",))
    with pytest.raises(InputError, match="share no precision"):
        load("compare_latency").compare(first, second)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("judge_folder", ["none.edgecl", "none"]),
        ("custom_camera", ["none.edgecl"]),
        ("compare_latency", ["none.edgecl", "none.edgecl"]),
    ],
)
def test_a_mistake_is_one_line(name, arguments, tmp_path):
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", *arguments],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
