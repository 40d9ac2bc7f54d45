"""Recipes of a configuration that a running stream reads again."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgecl.cli.shell import run
from tests.edgecl.cli.run.recipes.running import ended, running, until, verdicts
from tests.edgecl.cli.run.service.supervisor import Supervisor

BEGINNING = """
[recipes.7]
model = "bolt.edgecl"
unsure-below = 1.0
pass-label = ["dark"]
[recipes.8]
model = "nut.edgecl"
"""


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch, make_bundle) -> Iterator[Supervisor]:
    """Two bundles of different labels, a configuration of both, and somebody who says SIGHUP."""
    make_bundle(tmp_path / "bolt.edgecl")
    make_bundle(tmp_path / "nut.edgecl", labels=("black", "white"), pass_labels=("white",))
    monkeypatch.chdir(tmp_path)
    made = Supervisor(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", made.name)
    Path("line.toml").write_text(BEGINNING)
    yield made
    made.close()


def test_recipes_come_go_and_change_between_two_frames(supervisor, monkeypatch, capsys):
    with running("--config", "line.toml") as process:
        monkeypatch.delenv("NOTIFY_SOCKET")

        def reload(text: str) -> None:
            Path("line.toml").write_text(text)
            process.send_signal(signal.SIGHUP)
            supervisor.wait_for("RELOADING=1")
            supervisor.wait_for("READY=1")

        def judges(recipe: str, **fields: str) -> None:
            """Wait until a verdict has all this."""
            wanted = {"recipe": recipe, **fields}.items()
            until(lambda: wanted <= verdicts()[-1].items())

        judges("7", status="unsure")
        # Other rules, and one more recipe; the one that judges keeps its session.
        reload(BEGINNING.replace("1.0", "0.0") + '[recipes.9]\nmodel = "nut.edgecl"\n')
        until(lambda: verdicts()[-1]["status"] in ("pass", "reject"))
        assert run(["recipe", "9", "--stream", "o"]) == 0
        judges("9")
        # What 7 has of its own is not taken for what holds for all.
        assert {line["status"] for line in verdicts() if line["recipe"] == "9"} <= {
            "pass",
            "reject",
        }
        reload(BEGINNING)  # refused: 9 judges
        reload(BEGINNING + '[recipes.9]\nmodel = "none.edgecl"\n')
        reload(BEGINNING + '[recipes.9]\nmodel = "nut.edgecl"\npass-label = ["dark"]\n')
        # Another bundle under the id that judges.
        reload(BEGINNING + '[recipes.9]\nmodel = "bolt.edgecl"\npass-label = ["dark"]\n')
        until(lambda: verdicts()[-1]["label"] in ("dark", "middle", "bright"))
        capsys.readouterr()
        assert run(["recipe", "--back", "--stream", "o"]) == 2, "the nut of 9 is gone"
        assert "[recipe-unknown]" in capsys.readouterr().err
        assert run(["recipe", "8", "--stream", "o"]) == 0
        judges("8")
        reload(BEGINNING)
        capsys.readouterr()
        assert run(["recipe", "--stream", "o", "--json"]) == 0
        state = json.loads(capsys.readouterr().out)
        assert (state["recipes"], state["previous"]) == (["7", "8"], "")
        reload('[model]\nmodel = "bolt.edgecl"\n')
        code, err = ended(process)
    assert code == 130
    assert "read again: recipes.7 changed, recipes.9 is new" in err
    assert "read again: recipes.9 is gone" in err
    assert "not changed: recipe 9 judges, and would be gone; change to another" in err
    assert "not changed: recipe 9: no bundle found at none.edgecl" in err
    assert "the model has no label 'dark'" in err
    assert "recipe 9 judges now (bolt.edgecl)" in err
    assert "model.model, recipes cannot change while the stream runs" in err
    assert json.loads(Path("o/summary.json").read_text())["balanced"]
    kept = Path("o/config.toml").read_text()
    assert kept.count("unsure-below = 1.0") == 1, "of recipe 7 alone"
    assert "[recipes.9]" not in kept
