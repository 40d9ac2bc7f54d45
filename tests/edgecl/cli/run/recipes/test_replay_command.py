"""`edgecl replay` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecl.cli.shell import run
from tests.edgecl.cli.run.judging import ARGUMENTS, write_parts

ENGINE = ("--engine", "onnxruntime")


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch, make_bundle) -> Path:
    make_bundle(tmp_path / "first.edgecl")
    make_bundle(tmp_path / "second.edgecl", pass_labels=("middle", "bright"))
    monkeypatch.chdir(tmp_path)
    write_parts(tmp_path / "parts", [40, 128, 215])
    return tmp_path


def replayed(capsys, *arguments: str, code: int = 1):
    assert run(["replay", *ENGINE, *arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def refusal(capsys, *arguments: str) -> str:
    assert run(["replay", *arguments]) == 2
    said: str = capsys.readouterr().err
    return said.strip().splitlines()[-1]


@pytest.mark.parametrize("source", ["o", "o/verdicts.jsonl", "line.sqlite"])
def test_a_streams_verdicts_are_compared_with_another_bundles(workplace, capsys, source):
    sink = f"sqlite:{workplace / 'line.sqlite'}"
    assert run([*ARGUMENTS, "--model", "first.edgecl", "--sink", sink]) == 0
    capsys.readouterr()
    found = replayed(capsys, source, "--model", "second.edgecl", "--out", "changes.jsonl")
    assert found["comparison"]["changes"] == {"reject to pass": 1}
    assert (found["comparison"]["frames"], found["missing"], found["failed"]) == (3, 0, 0)
    (change,) = found["changed"]
    assert (change["name"], change["first"]["label"]) == ("1.png", "middle")
    assert [json.loads(line) for line in Path("changes.jsonl").read_text().splitlines()] == [change]
    assert (len(change["id"]) > 10) == (source == "line.sqlite")
    again = replayed(capsys, source, "--model", "first.edgecl", code=0)
    assert again["comparison"]["disagreed"] == 0
    Path("parts/0.png").unlink()
    model = ("--model", "second.edgecl", "--changed-at-most", "1")
    assert replayed(capsys, source, *model, code=0)["missing"] == 1


def test_images_that_a_line_kept_are_compared_with_what_it_said_of_them(workplace, capsys):
    sink = f"images:{workplace / 'kept'}?sample=1&cooldown=0s"
    assert run([*ARGUMENTS, "--model", "first.edgecl", "--sink", sink]) == 0
    capsys.readouterr()
    found = replayed(capsys, "kept", "--model", "second.edgecl")
    assert found["comparison"]["frames"] == 3
    assert found["comparison"]["changes"] == {"reject to pass": 1}
    (change,) = found["changed"]
    assert change["id"].endswith("/1")
    next(Path("kept").glob("*/*.json")).write_text("{")
    assert "kept image" in refusal(capsys, "kept", "--model", "second.edgecl")


def test_files_that_a_rotation_closed_are_replayed_too(workplace, capsys):
    assert run([*ARGUMENTS, "--model", "first.edgecl"]) == 0
    capsys.readouterr()
    whole = Path("o/verdicts.jsonl")
    first, rest = whole.read_bytes().split(b"\n", 1)
    Path("o/verdicts.000001.jsonl").write_bytes(first + b"\n")
    whole.write_bytes(rest)
    found = replayed(capsys, "o", "--model", "second.edgecl")
    assert found["comparison"]["frames"] == 3


def test_a_folder_of_images_is_answered_by_both_bundles(workplace, capsys):
    models = ("--model", "second.edgecl", "--against", "first.edgecl")
    found = replayed(capsys, "parts", *models)
    assert found["comparison"]["changes"] == {"reject to pass": 1}
    assert run(["replay", "parts", *ENGINE, *models]) == 1
    out, err = capsys.readouterr()
    assert "1.png: reject middle" in out
    assert "reject to pass: 1" in out
    assert err.strip().endswith("[replay]")


def test_what_cannot_be_replayed_is_told_in_one_line(workplace, capsys):
    model = ("--model", "second.edgecl", *ENGINE)
    assert "parts has no verdicts to compare with" in refusal(capsys, "parts", *model)
    assert "none cannot be read" in refusal(capsys, "none", *model)
    Path("bad.jsonl").write_text("{")
    assert "bad.jsonl, line 1, cannot be read" in refusal(capsys, "bad.jsonl", *model)
    assert run([*ARGUMENTS, "--model", "first.edgecl"]) == 0
    capsys.readouterr()
    write_parts(Path("others"), [])
    told = refusal(capsys, "o", *model, "--images", "others")
    assert "others" in told
    Path("parts").rename("moved")
    assert "does not tell where the images" in refusal(capsys, "o", *model)
    assert replayed(capsys, "o", *model[:2], "--images", "moved")["comparison"]["frames"] == 3
