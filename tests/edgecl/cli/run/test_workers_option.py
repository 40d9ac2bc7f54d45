"""`edgecl run --workers` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecl.cli.run.model.opening import threads_per_worker
from edgecl.cli.shell import run
from runtime.artifact.tiling import Tiling
from runtime.session.spec import ENGINES
from tests.edgecl.cli.run.test_several_cameras import refusal
from tests.edgecl.cli.run.test_several_cameras import workplace as workplace
from tests.edgecl.cli.test_run_command import lines


def test_workers_judge_one_camera_in_order(workplace, capsys):
    given = ["--camera", "line.avi", "--workers", "2", "--threads", "1", "--out", "o", "--json"]
    assert run(["run", *given]) == 0
    out, err = capsys.readouterr()
    summary = json.loads(out)
    assert (summary["workers"], summary["judged"], summary["balanced"]) == (2, 15, True)
    assert "turn" in summary["steps"]
    assert "2 workers" in err
    assert [line["frame"] for line in lines(Path("o/verdicts.jsonl"))] == list(range(15))


def test_workers_judge_several_cameras(workplace, capsys):
    cameras = ["--camera", "top=top", "--camera", "video=line.avi"]
    given = [*cameras, "--workers", "3", "--engine", "onnxruntime", "--out", "o", "--json"]
    assert run(["run", *given]) == 0
    sections = json.loads(capsys.readouterr().out)["cameras"]
    assert {name: section["judged"] for name, section in sections.items()} == {
        "top": 12,
        "video": 15,
    }
    for name, section in sections.items():
        assert section["workers"] == 3
        verdicts = lines(Path(f"o/{name}/verdicts.jsonl"))
        assert [line["frame"] for line in verdicts] == list(range(section["judged"]))


@pytest.mark.parametrize(
    ("cores", "workers", "threads"), [(1, 1, 1), (2, 1, 1), (2, 2, 1), (8, 1, 7), (8, 2, 3)]
)
def test_workers_share_the_cores_but_one(monkeypatch, cores, workers, threads):
    monkeypatch.setattr("runtime.session.opening.default_threads", lambda: cores)
    assert threads_per_worker(workers) == threads


def test_a_number_below_one_is_refused(workplace, capsys):
    assert "--workers" in refusal(capsys, "--camera", "top", "--workers", "0")


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_workers_and_cameras_share_a_model_for_tiles(
    tmp_path, monkeypatch, make_bundle, engine, capsys
):
    """Frames of two sizes have other numbers of tiles, which the sessions are set up for."""
    if not ENGINES[engine].installed:
        pytest.skip(f"{engine} is not installed")
    make_bundle(tmp_path / "tiny.edgecl", tiling=Tiling((16, 16)))
    for folder, width in (("narrow", 40), ("wide", 90)):
        (tmp_path / folder).mkdir()
        for number in range(8):
            level = 215 if number % 2 else 40
            path = tmp_path / folder / f"{number}.png"
            cv2.imwrite(str(path), np.full((20, width), level, np.uint8))
    monkeypatch.chdir(tmp_path)
    cameras = ["--camera", "narrow=narrow", "--camera", "wide=wide"]
    given = [*cameras, "--engine", engine, "--workers", "2", "--out", "o", "--json"]
    assert run(["run", *given]) == 0
    sections = json.loads(capsys.readouterr().out)["cameras"]
    for name, section in sections.items():
        assert (section["judged"], section["balanced"]) == (8, True)
        verdicts = lines(Path(f"o/{name}/verdicts.jsonl"))
        assert [line["label"] for line in verdicts] == ["dark", "bright"] * 4
        assert verdicts[0]["worst_tile"]["width"] == 16
