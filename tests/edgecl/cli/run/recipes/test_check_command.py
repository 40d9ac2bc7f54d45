"""`edgecl check` as a user calls it, of a bundle and of a running stream."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run
from tests.edgecl.cli.run.recipes.running import ended, running

ENGINE = ("--engine", "onnxruntime")
LEVELS = {"dark": 40, "middle": 128, "bright": 215}


def write(folder: Path, level: int, count: int = 2) -> None:
    """Images of a level with some grain, sharp ones."""
    folder.mkdir(parents=True)
    for number in range(count):
        grain = np.random.default_rng(number).integers(-20, 21, (40, 60))
        image = np.clip(level + grain, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), image)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch, make_bundle) -> Path:
    make_bundle(tmp_path / "tiny.edgecl")
    for label, level in LEVELS.items():
        write(tmp_path / "by-label" / label, level)
    write(tmp_path / "parts" / "good", 215)
    write(tmp_path / "parts" / "bad", 40)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def report(capsys, *arguments: str, code: int = 0):
    assert run(["check", *ENGINE, *arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def refusal(capsys, *arguments: str, code: int = 2) -> str:
    assert run(["check", *arguments]) == code
    said: str = capsys.readouterr().err
    return said.strip().splitlines()[-1]


@pytest.mark.parametrize("folder", ["parts", "by-label"])
def test_parts_that_get_the_answer_of_their_folder_pass(workplace, capsys, folder):
    found = report(capsys, "--parts", folder)
    assert found["passed"]
    count = 4 if folder == "parts" else 6
    assert (found["parts"]["images"], found["parts"]["right"]) == (count, count)
    assert "no golden images" in found["notes"][0]


def test_a_bad_part_that_passes_fails_the_check_and_is_named(workplace, capsys):
    write(Path("parts/bad/more"), 215, 1)
    Path("parts/bad/more/0.png").rename("parts/bad/9.png")
    Path("parts/bad/more").rmdir()
    assert "1 of 5 parts is answered wrongly (0 allowed), and 1 of them passes" in refusal(
        capsys, *ENGINE, "--parts", "parts", code=1
    )
    found = report(capsys, "--parts", "parts", code=1)
    (wrong,) = found["parts"]["wrong"]
    assert (wrong["name"], wrong["expected"], wrong["status"]) == ("bad/9.png", "bad", "pass")
    assert report(capsys, "--parts", "parts", "--wrong-at-most", "1")["passed"]


def test_light_and_focus_are_held_against_a_recorded_reference(workplace, capsys):
    camera = ("--camera", "by-label/middle")
    assert run(["check", *ENGINE, *camera, "--record", "then.json"]) == 0
    assert "then.json: 2 frames of" in capsys.readouterr().out
    assert report(capsys, *camera, "--reference", "then.json")["passed"]
    write(Path("darker"), 90)
    found = report(capsys, "--camera", "darker", "--reference", "then.json", code=1)
    assert "brightness is" in found["failures"][0]
    Path("blurred").mkdir()
    for path in Path("by-label/middle").glob("*.png"):
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(f"blurred/{path.name}", cv2.GaussianBlur(image, (0, 0), 3))
    found = report(capsys, "--camera", "blurred", "--reference", "then.json", code=1)
    assert [text.split(": ")[1][:8] for text in found["failures"]] == ["focus is"]


def test_a_check_is_kept_in_the_archive_and_shown_in_its_history(workplace, capsys):
    report(capsys, "--parts", "parts", "--archive", "line.sqlite")
    report(capsys, "--parts", "none", "--archive", "line.sqlite", code=1)
    assert run(["history", "line.sqlite", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert [check["passed"] for check in checks] == [True, False]
    assert checks[1]["failures"][0].startswith("parts: ")
    assert run(["history", "line.sqlite"]) == 0
    assert "FAILED: parts: " in capsys.readouterr().out


def test_a_running_stream_is_checked_beside_its_judge(workplace, capsys):
    sink = ("--sink", f"sqlite:{workplace / 'line.sqlite'}")
    parts = ("--check-parts", "{recipe}")
    Path("parts").rename("7")
    with running("--recipe", "7=tiny.edgecl", *sink, *parts) as process:
        assert run(["check", "--stream", "o", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["recipe"], found["parts"]["right"]) == ("7", 4)
        told = refusal(capsys, "--archive", "line.sqlite", *ENGINE)
        assert "line.sqlite" in told
        code, err = ended(process)
    assert (code, "check passed" in err) == (130, True)
    assert run(["history", "line.sqlite", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert [(check["passed"], check["recipe"]) for check in checks] == [(True, "7")]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--model", "none.edgecl"), 2, "no bundle found at none.edgecl"),
        (("--record", "then.json"), 2, "--record needs a camera"),
        (("--reference", "none.json", "--camera", "by-label"), 1, "reference: none.json cannot be"),
        (("--reference", "bad.json", "--camera", "by-label"), 1, "reference: bad.json is not"),
        (("--parts", "by-label/dark"), 1, "is in no folder named for a label, or good or bad"),
        (("--parts", "parts", "--pass-label", "shiny"), 2, "the model has no label 'shiny'"),
        (("--running",), 2, "--engine only affects a check by itself"),
        (("--frames", "3"), 2, "--frames only affects light and focus, and no camera"),
        (("--parts", "none", "--camera", "by-label", "--record", "x"), 2, "--parts only affects a"),
    ],
)
def test_what_cannot_be_checked_is_told_in_one_line(workplace, capsys, arguments, code, told):
    Path("bad.json").write_text("[]")
    assert told in refusal(capsys, *ENGINE, *arguments, code=code)


@pytest.mark.parametrize(
    ("check", "told"),
    [
        ('check-parts = "samples"', "check.check-parts: samples is no folder of images"),
        (
            'check-parts = "by-label/dark"',
            "0.png is in no folder named for a label, or good or bad",
        ),
        ('check-parts = "{recipe}"', "check.check-parts: 8 is no folder of images"),
        ('check-reference = "good.json"', "check.check-reference: good.json cannot be read"),
        ('check-reference = "bad.json"', "check.check-reference: bad.json is not"),
    ],
)
def test_a_stream_whose_check_could_not_be_made_does_not_begin(workplace, capsys, check, told):
    Path("bad.json").write_text("[]")
    Path("parts").rename("7")
    recipes = "".join(f'[recipes.{name}]\nmodel = "tiny.edgecl"\n' for name in (7, 8))
    Path("line.toml").write_text(f'[camera]\ncamera = "demo"\n[check]\n{check}\n{recipes}')
    assert run(["run", "--config", "line.toml", "--frames", "1"]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1, said
    assert said[0].startswith("edgecl: line.toml:4: ")
    assert told in said[0]
    assert not Path("streams").exists()


def test_no_stream_runs_there(workplace, capsys):
    assert "no stream runs in streams/" in refusal(capsys, "--running")
    assert "no stream listens in by-label" in refusal(capsys, "--stream", "by-label")
