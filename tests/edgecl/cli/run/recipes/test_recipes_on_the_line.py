"""Recipes of `edgecl run` as a user names them, changed by `edgecl recipe`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edgecl.cli.shell import run
from runtime.artifact.bundle import load_bundle
from runtime.stream.control.socket import NAME, ask
from tests.edgecl.cli.run.recipes.running import ended, running, until, verdicts


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch, make_bundle) -> Path:
    make_bundle(tmp_path / "bolt.edgecl")
    make_bundle(tmp_path / "nut.edgecl", labels=("black", "white"), pass_labels=("white",))
    monkeypatch.chdir(tmp_path)
    return tmp_path


CONFIG = """
[recipes.7]
model = "bolt.edgecl"

[recipes.8]
model = "nut.edgecl"
pass-label = ["black", "white"]
unsure-below = { "*" = 0.0, white = 0.1 }
"""


def refusal(capsys, *arguments: str) -> str:
    assert run([*arguments]) == 2
    said: str = capsys.readouterr().err
    return said.strip().splitlines()[-1]


def test_a_running_stream_changes_its_recipe_and_back(workplace, capsys):
    Path("line.toml").write_text(CONFIG)
    bolt, nut = (load_bundle(f"{name}.edgecl").manifest.digest for name in ("bolt", "nut"))
    images = "images:kept?status=none&sample=0&label=white&label=black&cooldown=0s"
    sinks = ("--sink", "sqlite:line.sqlite", "--sink", images)
    with running("--config", "line.toml", *sinks) as process:
        assert run(["recipe", "--stream", "o", "--json"]) == 0
        state = json.loads(capsys.readouterr().out)
        assert (state["recipe"], state["digest"], state["recipes"]) == ("7", bolt, ["7", "8"])
        assert run(["recipe", "8", "--stream", "o"]) == 0
        assert "recipe 8 judges now" in capsys.readouterr().out
        until(lambda: verdicts()[-1]["recipe"] == "8")
        assert refusal(capsys, "recipe", "9", "--stream", "o").endswith(" [recipe-unknown]")
        assert run(["recipe", "--back", "--stream", "o"]) == 0
        shutil.move("nut.edgecl", "gone.edgecl")
        told = refusal(capsys, "recipe", "8", "--stream", "o")
        assert told.startswith("edgecl: recipe 7 goes on: recipe 8: no bundle found at")
        assert told.endswith(" [recipe-refused]")
        code, err = ended(process)
    assert code == 130
    assert "recipe 8 judges now" in err
    assert not Path("o", NAME).exists()
    lines = verdicts()
    labels = {"7": {"dark", "middle", "bright"}, "8": {"black", "white"}}
    assert {line["recipe"] for line in lines} == {"7", "8"}
    assert all(line["label"] in labels[line["recipe"]] for line in lines)
    assert all(line["digest"] == {"7": bolt, "8": nut}[line["recipe"]] for line in lines)
    assert {line["status"] for line in lines if line["recipe"] == "8"} == {"pass"}
    kept = [json.loads(path.read_text()) for path in Path("o/kept").glob("*/*.json")]
    assert "label" in {record["policy"] for record in kept if record["verdict"]["recipe"] == "8"}
    summary = json.loads(Path("o/summary.json").read_text())
    assert [(account["id"], account["digest"]) for account in summary["recipes"]] == [
        ("7", bolt),
        ("8", nut),
    ]
    assert summary["balanced"]
    assert run(["history", "o/line.sqlite", "--by", "recipe", "--json"]) == 0
    groups = json.loads(capsys.readouterr().out)["groups"]
    assert {group["name"] for group in groups} == {"7", "8"}


def test_a_bundle_that_nobody_signed_is_refused(workplace, capsys):
    pytest.importorskip("cryptography")
    from export.bundle.signing import load_signing_key, write_signature

    assert run(["keys", "plant"]) == 0
    digest = load_bundle("bolt.edgecl").manifest.digest
    write_signature(Path("bolt.edgecl"), digest, load_signing_key(Path("plant.key")))
    arguments = ("--recipe", "7=bolt.edgecl", "--recipe", "8=nut.edgecl")
    with running(*arguments, "--verify-key", "plant.pub") as process:
        assert refusal(capsys, "recipe", "8", "--stream", "o").endswith(" [recipe-unsigned]")
        assert ended(process)[0] == 130
    assert {line["recipe"] for line in verdicts()} == {"7"}


def test_several_cameras_change_together(workplace):
    arguments = ("--recipe", "7=bolt.edgecl", "--recipe", "8=nut.edgecl")
    cameras = ("--camera", "left=demo", "--camera", "right=demo", "--fps", "20")
    from tests.edgecl.command import finish

    code, _, err = finish(
        "run", *cameras, *arguments, "--begin-with", "8", "--frames", "3", "--out", "o"
    )
    assert code == 0, err
    for name in ("left", "right"):
        assert [line["recipe"] for line in verdicts(f"o/{name}")] == ["8"] * 3


def test_a_killed_stream_leaves_a_socket_that_the_next_one_takes(workplace, capsys):
    arguments = ("--recipe", "7=bolt.edgecl")
    with running(*arguments) as process:
        process.kill()
        process.communicate()
    assert Path("o", NAME).is_socket()
    assert "no stream listens in o" in refusal(capsys, "recipe", "--stream", "o")
    Path("o/verdicts.jsonl").unlink()
    with running(*arguments) as process:
        assert ask(Path("o"), "recipes")["recipe"] == "7"
        assert Path("o", NAME).stat().st_mode & 0o777 == 0o600
        assert ended(process)[0] == 130


def test_a_stream_without_recipes_says_so(workplace, capsys):
    with running("--model", "bolt.edgecl") as process:
        told = refusal(capsys, "recipe", "8", "--stream", "o")
        assert told.startswith("edgecl: the stream has no recipes")
        assert ended(process)[0] == 130
    assert "recipe" not in verdicts()[0]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--recipe", "7"), "'7' is not ID=BUNDLE"),
        (("--recipe", "a b=bolt.edgecl"), "'a b=bolt.edgecl' is not ID=BUNDLE"),
        (("--recipe", "7=bolt.edgecl", "--recipe", "7=nut.edgecl"), "recipe 7 is given twice"),
        (("--recipe", "7=none.edgecl"), "recipe 7: no bundle found at none.edgecl"),
        (("--recipe", "7=bolt.edgecl", "--begin-with", "8"), "--begin-with 8: there is no such"),
        (("--recipe", "7=bolt.edgecl", "--model", "nut.edgecl"), "--model stands beside recipes"),
        (("--recipe", "7=bolt.edgecl", "--heat-maps", "5"), "--heat-maps shows where one model"),
        (("--begin-with", "8"), "--begin-with names a recipe, but there are none"),
        (("--config", "bad.toml"), "bad.toml:3: recipes.7.modl is not a key of a recipe"),
        (("--config", "empty.toml"), "empty.toml:1: recipes.7 has no model"),
        (("--config", "rule.toml"), "rule.toml:3: recipes.7.debounce: '3/2' is not N of M"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_the_stream(workplace, capsys, arguments, told):
    Path("bad.toml").write_text('[recipes.7]\nmodel = "bolt.edgecl"\nmodl = "x"\n')
    Path("empty.toml").write_text("[recipes.7]\n")
    Path("rule.toml").write_text('[recipes.7]\nmodel = "bolt.edgecl"\ndebounce = "3/2"\n')
    assert told in refusal(capsys, "run", "--camera", "demo", *arguments)


def test_no_stream_and_several_streams_are_told_apart(workplace, capsys):
    assert "no stream runs in streams/" in refusal(capsys, "recipe", "7")
    assert "--back has no effect" in refusal(capsys, "recipe", "7", "--back")


def test_a_configuration_with_recipes_is_printed_and_taken_back(workplace, capsys):
    Path("line.toml").write_text('[camera]\ncamera = "demo"\n[model]\nbegin-with = "8"\n' + CONFIG)
    assert run(["run", "--config", "line.toml", "--print-config"]) == 0
    text = capsys.readouterr().out
    assert "[recipes.8]" in text
    Path("again.toml").write_text(text)
    assert run(["run", "--config", "again.toml", "--print-config"]) == 0
    assert capsys.readouterr().out == text
