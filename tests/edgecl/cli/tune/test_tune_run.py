"""`edgecl tune --run`: the validation part of the bundle's own run, and nothing that taught it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecl.cli.shell import run as edgecl
from edgecl.learning.run.preparation import prepare
from edgecl.learning.run.run_directory import read_config
from tests.made_once import MadeOnce, spared_exports


@pytest.fixture
def bundle(trained_run: Path, made_once: MadeOnce) -> Path:
    def export(path: Path) -> None:
        arguments = [str(trained_run), "--pass-label", "bars", "--out", str(path)]
        with spared_exports(made_once):
            assert edgecl(["export", *arguments]) == 0

    return made_once("bundles/tuned.edgecl", export)


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_validation_part_is_judged(bundle, trained_run, capfd):
    arguments = ["--model", str(bundle), "--run", str(trained_run), "--json"]
    assert edgecl(["tune", *arguments]) == 0, capfd.readouterr().err
    found = json.loads(capfd.readouterr().out)
    config = read_config(trained_run).choices
    split = prepare(config, lambda *_: None).split
    assert list(found["images"].values()) == [len(split.validation)]
    assert set(found["now"]["escapes_of"]) == {"blob", "posts"}
    assert any("may fare a little worse" in note for note in found["notes"])


def test_images_of_the_train_part_are_refused(bundle, trained_run, class_folders, capfd):
    arguments = ["--model", str(bundle), "--run", str(trained_run), "--data", str(class_folders)]
    assert edgecl(["tune", *arguments]) == 2
    assert "taught this model" in capfd.readouterr().err


def test_a_bundle_of_another_run_is_refused(trained_run, make_bundle, capfd):
    other = make_bundle(labels=("bars", "blob", "posts"), pass_labels=("bars",))
    assert edgecl(["tune", "--model", str(other), "--run", str(trained_run)]) == 2
    assert "was not exported from" in capfd.readouterr().err
