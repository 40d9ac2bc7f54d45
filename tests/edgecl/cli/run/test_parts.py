"""`edgecl run --part-of` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run
from tests.edgecl.cli.run.test_several_cameras import refusal, write
from tests.edgecl.cli.test_run_command import lines

BASE = ["--engine", "onnxruntime", "--out", "o"]
TWO = ["--camera", "top=top", "--camera", "side=side"]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch, make_bundle) -> Path:
    """A bundle, and two folders: six parts seen from the top, five from the side."""
    make_bundle(tmp_path / "tiny.edgecl")
    levels = {"top": (215, 215, 40, 215, 215, 215), "side": (215, 40, 215, 215, 215)}
    for folder, parts in levels.items():
        (tmp_path / folder).mkdir()
        for number, level in enumerate(parts):
            cv2.imwrite(
                str(tmp_path / folder / f"{number}.png"), np.full((40, 60), level, np.uint8)
            )
    (tmp_path / "side" / "3.png").write_bytes(b"no image")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def judged(capsys, *arguments: str) -> dict[str, Any]:
    assert run(["run", *arguments, *BASE, "--json"]) == 0
    summary: dict[str, Any] = json.loads(capsys.readouterr().out)
    return summary


def test_each_part_has_one_verdict_the_worst_of_its_cameras(workplace, capsys):
    summary = judged(capsys, *TWO, "--part-of", "trigger", "--sink", "jsonl:machine.jsonl")
    parts = lines(Path("o/parts.jsonl"))
    assert [line["part"] for line in parts] == [0, 1, 2, 3, 4, 5]
    assert [line["status"] for line in parts] == [
        "pass",
        "reject",
        "reject",
        "fault",
        "pass",
        "fault",
    ]
    assert [line["decided_by"] for line in parts] == ["top", "side", "top", "side", "top", "side"]
    assert parts[5]["cameras"]["side"]["frame"] is None
    assert parts[1]["cameras"]["top"]["status"] == "pass"
    # What a machine acts on is the part, and the cameras' own files are whole all the same.
    machine = lines(Path("o/machine.jsonl"))
    assert [(line["frame"], line["status"]) for line in machine] == [
        (line["part"], line["status"]) for line in parts
    ]
    assert len(lines(Path("o/top/verdicts.jsonl"))) == 6
    assert summary["parts"]["parts"] == 6
    assert summary["parts"]["statuses"]["fault"] == 2
    assert summary["parts"]["missing"] == {"top": 0, "side": 1}
    assert summary["parts_file"]["written"] == 6
    assert all(section["policy"] == "every-frame" for section in summary["cameras"].values())


def test_parts_by_time_of_two_lines_that_run_side_by_side(workplace, capsys):
    cameras = ["--camera", "a=demo", "--camera", "b=demo", "--fps", "20", "--frames", "10"]
    summary = judged(capsys, *cameras, "--part-of", "25ms")
    parts = lines(Path("o/parts.jsonl"))
    frames = [seen["frame"] for line in parts for seen in line["cameras"].values()]
    assert sorted(frame for frame in frames if frame is not None) == sorted([*range(10)] * 2)
    assert summary["parts"]["window_ms"] == 25.0
    assert summary["parts"]["parts"] == len(parts)


def test_the_summary_for_people_counts_parts(workplace, capsys):
    assert run(["run", *TWO, *BASE, "--part-of", "trigger"]) == 0
    out, err = capsys.readouterr()
    assert "parts: frames of one trigger; verdicts in o/parts.jsonl" in err
    assert "pass 2 · reject 2 · unsure 0" in out
    assert "parts without a camera: side 1" in out
    assert "6 verdicts on parts in o/parts.jsonl" in out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--camera", "top", "--part-of", "trigger"], "--part-of joins the verdicts of several"),
        ([*TWO, "--part-of", "20"], "--part-of '20': the unit is missing (us, ms or s)"),
        ([*TWO, "--part-of", "trigger", "--latest"], "--part-of needs every frame"),
        ([*TWO, "--part-deadline", "1s"], "--part-deadline limits how long a part waits"),
        ([*TWO, "--part-of", "1s", "--part-deadline", "0s"], "'0s' is not above zero"),
        (
            ["--camera", "a=demo", "--camera", "b=demo", "--part-of", "trigger"],
            "matches frames by their number, but camera a runs freely",
        ),
        (
            [*TWO, "--part-of", "trigger", "--sink", "jsonl:parts.jsonl"],
            "the stream itself writes",
        ),
    ],
)
def test_mistakes_are_one_line(workplace, capsys, arguments, named):
    assert named in refusal(capsys, *arguments)


def test_a_camera_of_the_file_that_judges_the_latest_alone_is_refused_with_its_line(
    workplace, capsys
):
    text = """
[rules]
part-of = "trigger"
[[cameras]]
name = "top"
source = "top"
[[cameras]]
name = "side"
source = "side"
every-frame = false
"""
    line = refusal(capsys, "--config", write(text))
    assert line.startswith("line.toml:7: cameras[2]: line.toml:3: rules.part-of needs every frame")
