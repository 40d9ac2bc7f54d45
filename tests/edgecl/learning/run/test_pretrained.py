"""Pretraining that other runs take over: the same numbers, and never a leak."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edgecl.cli.train.command import command
from edgecl.learning.run import run_directory
from edgecl.learning.run.preparation import prepare
from edgecl.learning.runner import pretrain_run, train_run
from runtime.errors import InputError
from tests.edgecl.conftest import fill


def silent(*_: object) -> None:
    pass


@pytest.fixture(scope="module")
def pretrained_run(tiny_config, made_once):
    def make(run):
        facts = pretrain_run(replace(tiny_config, pretrain_only=True), run, report=silent)
        assert facts.images == 84
        assert facts.epochs == 2

    return made_once("pretrained/run", make)


def test_a_pretraining_alone_touches_no_test_part_and_counts_as_complete(pretrained_run):
    assert {path.name for path in pretrained_run.iterdir()} == {
        "checkpoint.pt",
        "config.json",
        "metrics.jsonl",
        "pretrained.safetensors",
    }
    with pytest.raises(InputError, match="no finished run"):
        run_directory.newest_run(pretrained_run.parent)
    with pytest.raises(InputError, match="no unfinished run"):
        run_directory.newest_run(pretrained_run.parent, finished=False)


def test_taking_a_pretraining_over_is_the_same_as_doing_it(
    pretrained_run, trained_run, tiny_config, tmp_path
):
    run = tmp_path / "run"
    result = train_run(replace(tiny_config, pretrained=str(pretrained_run)), run, report=silent)
    for name in ("predictions.csv", "encoder.safetensors", "classifier.safetensors"):
        assert (run / name).read_bytes() == (trained_run / name).read_bytes()
    assert result.pretrained is not None
    assert result.pretrained.method == "simclr"
    assert result.stages["pretrain"] == 0
    assert any("pretraining reused from" in note for note in result.notes)


def test_a_pretraining_that_saw_held_out_images_is_refused_or_marked(pretrained_run, tiny_config):
    # With another seed the parts are others: what was trained on there is tested on here.
    config = replace(tiny_config, pretrained=str(pretrained_run), seed=1)
    with pytest.raises(InputError, match=r"of 84 pretraining images are copies of validation"):
        prepare(config, silent)
    note = prepare(replace(config, allow_leak=True), silent).protocol_note
    assert note.startswith("leaks: ")


def test_copies_that_no_group_joined_are_told_and_do_not_lock_a_pretraining_out(
    tiny_config, tmp_path
):
    images = fill(tmp_path / "images", ("bars", "posts"), 20)
    for path in sorted(images.rglob("*.png")):
        again = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(path.with_suffix(".jpg")), again, [cv2.IMWRITE_JPEG_QUALITY, 80])
    config = replace(tiny_config, data=str(images), pretrain_epochs=1)
    told = prepare(config, silent).notes
    assert any("look like held-out images of other overlap groups" in note for note in told)
    pretrain_run(replace(config, pretrain_only=True), tmp_path / "run", report=silent)
    prepared = prepare(replace(config, pretrained=str(tmp_path / "run")), silent)
    assert not prepared.protocol_note.startswith("leaks")
    assert any("look like held-out images of other overlap groups" in n for n in prepared.notes)


def test_pretraining_on_the_unlabelled_alone_fits_every_split(tiny_config, tmp_path):
    extra = fill(tmp_path / "extra", ("bars", "posts"), 10, seed=9)
    config = replace(
        tiny_config,
        unlabelled=(str(extra),),
        pretrain_on="unlabelled",
        pretrain_only=True,
        pretrain_epochs=1,
    )
    assert pretrain_run(config, tmp_path / "run", report=silent).images == 20
    other = replace(tiny_config, pretrained=str(tmp_path / "run"), seed=5)
    assert not prepare(other, silent).protocol_note.startswith("leaks")


def test_nothing_to_pretrain_on_is_refused(tiny_config):
    with pytest.raises(InputError, match="nothing to pretrain on"):
        prepare(replace(tiny_config, pretrain_on="unlabelled"), silent)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder": "convnet"}, "encoder shufflenet, but this run uses convnet; change --encoder"),
        (
            {"image_size": (64, 32)},
            "image size 32x32, but this run uses 64x32; change --image-size",
        ),
        ({"method": "nnclr"}, "method simclr, but this run uses nnclr"),
    ],
)
def test_the_pretraining_of_another_net_is_named(pretrained_run, tiny_config, change, message):
    with pytest.raises(InputError, match=message):
        prepare(replace(tiny_config, pretrained=str(pretrained_run), **change), silent)


def test_no_pretraining_and_a_damaged_one_are_named(tiny_config, pretrained_run, tmp_path):
    config = replace(tiny_config, pretrained=str(tmp_path))
    with pytest.raises(InputError, match="its pretraining was not finished"):
        prepare(config, silent)
    whole = (pretrained_run / "pretrained.safetensors").read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"\xff" * 100):
        (tmp_path / "pretrained.safetensors").write_bytes(damaged)
        with pytest.raises(InputError, match="is damaged"):
            prepare(config, silent)


def test_the_command_line_takes_the_method_from_the_pretraining(tiny_config, tmp_path):
    first = ["--data", tiny_config.data, "--image-size", "32x32", "--batch-size", "16"]
    first += ["--method", "nnclr", "--pretrain-epochs", "1", "--autocast", "off"]
    invoke = CliRunner().invoke
    done = invoke(command, [*first, "--pretrain-only", "--out", str(tmp_path / "a")])
    assert done.exit_code == 0, done.output
    assert "next: edgecl train --pretrained" in done.output
    second = ["--data", tiny_config.data, "--image-size", "32x32", "--batch-size", "16"]
    second += ["--pretrained", str(tmp_path / "a"), "--epochs", "1", "--autocast", "off", "--json"]
    done = invoke(command, [*second, "--out", str(tmp_path / "b")])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["method"] == "nnclr"


def test_few_labels_are_shown_again_until_an_epoch_has_its_steps(tiny_config, tmp_path):
    config = replace(tiny_config, label_share=0.1, epochs=1, folds=4, fold=2)
    steps = []

    def count(stage: str, done: int, total: int, _: str) -> None:
        if stage == "fine-tuning":
            steps.append((done, total))

    result = train_run(config, tmp_path / "run", report=count)
    assert steps[-1] == (10, 10)
    assert result.counts["train"] == 9
    assert result.counts["validation"] == 3
    assert result.counts["pretraining"] == 78
    assert result.counts["test"] == 30
    assert "Tested on fold 2 of 4" in result.protocol_note
    assert "Labels of 10 %" in result.protocol_note


def test_a_fold_that_is_not_there_is_refused(tiny_config, tmp_path):
    for folds, fold in ((5, 5), (1, 0), (0, 2)):
        with pytest.raises(InputError, match=f"fold {fold} of {folds} does not exist"):
            train_run(replace(tiny_config, folds=folds, fold=fold), tmp_path / "r", report=silent)
    assert np.all([not (tmp_path / "r").exists()])
