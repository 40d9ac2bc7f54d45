"""Geometries that a study's runs choose: each by its own labels, and taken by what it is compared
with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run
from edgecl.learning.config import TrainConfig
from edgecl.learning.documents import CandidateAccuracy, ComparedChoices, RunConfig
from edgecl.learning.loop.stages import geometry
from edgecl.learning.run.run_directory import CONFIG, read_config
from edgecl.study.cells import Cell, cells
from edgecl.study.execution import begin, count_done, work
from edgecl.study.geometry import geometry_figures, settled
from edgecl.study.grid import Study
from edgecl.study.summary import summarise
from runtime.errors import InputError
from runtime.files.document import write_document

OPEN = Study(
    geometry="auto",
    arms=("clean", "in-domain"),
    unlabelled=("/steel",),
    label_shares=(0.05, 1.0),
    folds=2,
    lr=3e-3,
)
TILES, WHOLE = "tiles of 96x96", "whole images at 192x192"


def silent(*_: object) -> None:
    pass


def choose(folder: Path, cell: Cell, kind: str) -> None:
    """Let a run of a study have begun with a geometry."""
    tiles = kind == "tiles"
    compared = ComparedChoices(
        chosen=TILES if tiles else WHOLE,
        candidates=(
            CandidateAccuracy(name=TILES, accuracy=0.9 if tiles else 0.4),
            CandidateAccuracy(name=WHOLE, accuracy=0.5),
        ),
        measured_on="",
    )
    size = (96, 96) if tiles else (192, 192)
    (folder / cell.name).mkdir(parents=True)
    choices = replace(cell.config, geometry=kind, image_size=size)
    kept = RunConfig(choices=choices, labels=("a", "b"), data_digest="", geometry=compared)
    write_document(folder / cell.name / CONFIG, kept)


def choosers(everything: list[Cell]) -> list[Cell]:
    return [cell for cell in everything if cell.config.method == "none"]


def test_what_is_compared_with_a_run_takes_its_choice(tmp_path):
    everything = cells(OPEN)
    own = choosers(everything)
    assert len(own) == 2 * 2
    assert not any(cell.waits for cell in own)
    assert all(cell.waits for cell in everything if cell not in own)
    by_name = {cell.name: cell for cell in own}
    for cell in everything:
        if not cell.chosen_by:
            continue
        chooser = by_name[cell.chosen_by]
        told = ("fold", "split", "seed", "label_share", "label_draw", "views", "lr", "head")
        assert all(getattr(cell.config, n) == getattr(chooser.config, n) for n in told)
        assert chooser.config.unlabelled == ()
    assert {cell.condition.views for cell in everything if cell.condition} == {"auto"}


def test_only_geometries_that_a_run_took_are_pretrained_in(tmp_path):
    everything = cells(OPEN)
    first, *others = choosers(everything)
    assert len(settled(tmp_path, everything)) == len(everything)
    choose(tmp_path, first, "stretch")
    known = settled(tmp_path, everything)
    followers = [cell for cell in known if cell.chosen_by == first.name]
    assert len(followers) == 2 * 2
    for cell in followers:
        assert (cell.config.geometry, cell.config.image_size) == ("stretch", (192, 192))
        (pretraining,) = (one for one in known if one.name == cell.needs)
        assert pretraining.config.image_size == (192, 192)
        assert pretraining.config.pretrain_only
        assert not pretraining.waits
    for cell in others:
        choose(tmp_path, cell, "stretch")
    known = settled(tmp_path, everything)
    assert {cell.config.geometry for cell in known} == {"stretch"}
    assert {cell.only_in for cell in known} == {"", "stretch"}
    (all_labels, few) = sorted(geometry_figures(tmp_path, known), key=lambda one: -one.label_share)
    assert (few.label_share, all_labels.runs, few.runs) == (0.05, 2, 2)
    assert [(one.name, one.chosen, one.accuracy) for one in few.candidates] == [
        (WHOLE, 2, 0.5),
        (TILES, 0, 0.4),
    ]


def test_pretrainings_that_only_lost_runs_could_take_are_left_out(tmp_path):
    everything = cells(OPEN)
    lost = {cell.name for cell in everything if cell.chosen_by}
    assert not any(cell.only_in for cell in settled(tmp_path, everything, lost))


def test_a_folder_with_other_geometries_is_refused(tmp_path):
    (first, *_) = choosers(cells(OPEN))
    choose(tmp_path, first, "tiles")
    (tmp_path / "study.json").write_text("{}")
    begin(OPEN, tmp_path)
    asked = read_config(tmp_path / first.name)
    kept = RunConfig(choices=asked.choices, labels=asked.labels, data_digest="")
    write_document(tmp_path / first.name / CONFIG, kept)
    with pytest.raises(InputError, match="was run with geometry tiles, but the study now has auto"):
        begin(OPEN, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--geometry", "auto", "--tile", "32x32"], "--tile states a geometry"),
        (["--geometry", "stretch", "--tile", "32x32"], "--tile only applies to tiles"),
        (["--geometry", "tiles", "--image-size", "32x32"], "--image-size only affects images"),
        (["--scale", "0.5"], "--scale only applies to tiles"),
    ],
)
def test_options_of_another_geometry_are_refused(tmp_path, capsys, arguments, message):
    command = ["study", "--preset", "smoke", "--out", str(tmp_path / "s"), "--plan"]
    assert run([*command, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_plan_says_which_pretrainings_wait_for_a_choice(tmp_path, capsys):
    command = ["study", "--preset", "smoke", "--out", str(tmp_path / "s"), "--plan"]
    assert run([*command, "--geometry", "auto"]) == 0
    out = capsys.readouterr().out
    assert "in-domain-s0-f0-tiles, if a run chooses tiles" in out
    assert run([*command, "--geometry", "tiles"]) == 0
    assert "if a run chooses" not in capsys.readouterr().out


def test_every_fold_is_trained_in_what_its_own_labels_chose(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    data, pile = tmp_path / "images", tmp_path / "pile"
    for place, count in ((data / "clean", 14), (data / "scratched", 14), (pile, 60)):
        place.mkdir(parents=True)
        for number in range(count):
            image = rng.integers(90, 150, (100, 120), np.uint8)
            cv2.imwrite(str(place / f"{number}.png"), image)

    def answer(setup, folds, *, stage, what):
        assert setup.config.unlabelled == ()
        return 0.9 if (setup.config.geometry == "tiles") == (setup.config.fold == 0) else 0.1

    monkeypatch.setattr(geometry, "network_accuracy", answer)
    study = Study(
        data=str(data),
        unlabelled=(str(pile),),
        methods=("nnclr",),
        arms=("in-domain",),
        folds=2,
        geometry="auto",
        pretrain_epochs=1,
        epochs=1,
        batch_size=4,
        autocast="off",
    )
    folder = tmp_path / "study"
    begin(study, folder)
    assert work(study, folder, silent) == []
    known = settled(folder, cells(study))
    assert count_done(folder, known) == len(known) == 6

    def made(cell: Cell) -> TrainConfig:
        return read_config(folder / cell.name).choices

    assert {(made(cell).fold, made(cell).geometry) for cell in known} == {
        (0, "tiles"),
        (1, "stretch"),
    }
    summary = summarise(study, folder)
    (found,) = summary.geometries
    assert [(one.chosen, one.accuracy) for one in found.candidates] == [(1, 0.5), (1, 0.5)]
    (pair,) = summary.comparisons
    assert (pair.first.method, pair.second.method, pair.images) == ("nnclr", "none", 28)
    begin(study, folder)  # goes on
    assert run(["study", "--out", str(folder)]) == 0
    assert "in 1 of 2 runs (50.0% out of fold)" in capsys.readouterr().out
