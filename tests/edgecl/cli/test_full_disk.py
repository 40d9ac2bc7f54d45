"""A disk that fills up in training: one line, and the last checkpoint whole."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from edgecl.learning.config import TrainConfig
from edgecl.learning.documents import EpochMeasures
from edgecl.learning.run import run_directory
from edgecl.learning.run.pretrained import pretraining_facts, save_pretrained
from edgecl.learning.runner import train_run
from runtime.errors import EquipmentError, InputError
from runtime.files.atomic import replacing
from tests.edgecl.command import finish
from tests.small_disks import mounted_disk

TOO_LARGE = os.strerror(errno.EFBIG)


def silent(*_: object) -> None:
    pass


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process grows beyond it: as a disk that is full, for whoever writes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_checkpoint_that_does_not_fit_is_one_line_and_keeps_the_one_before(tmp_path):
    run_directory.save_checkpoint(tmp_path, {"epoch": 1})
    large = {"weights": torch.zeros(200_000)}
    with largest_file(100_000), pytest.raises(InputError) as caught:
        run_directory.save_checkpoint(tmp_path, large)
    assert caught.value.problem == f"cannot write {tmp_path / 'checkpoint.pt'}: {TOO_LARGE}"
    assert run_directory.load_checkpoint(tmp_path) == {"epoch": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_weights_that_do_not_fit_are_named(trained_run, tmp_path):
    classifier, _ = run_directory.load_classifier(trained_run)
    config = TrainConfig()
    last = EpochMeasures(stage="pretrain", epoch=1, loss=1.0)
    facts = pretraining_facts(config, [last], images=1)
    images = torch.zeros((1, 32, 32), dtype=torch.uint8).numpy()
    with largest_file(20_000):
        with pytest.raises(InputError, match=rf"encoder.safetensors: {TOO_LARGE}"):
            run_directory.save_weights(tmp_path, classifier)
        with pytest.raises(InputError, match=rf"pretrained.safetensors: {TOO_LARGE}"):
            save_pretrained(tmp_path, classifier.backbone, images, facts)
    assert list(tmp_path.iterdir()) == []


def test_a_training_ends_in_its_first_line_and_goes_on_when_there_is_room(tiny_config, tmp_path):
    config = replace(tiny_config, method="none", epochs=2)
    with largest_file(100_000), pytest.raises(InputError, match=rf"checkpoint.pt: {TOO_LARGE}"):
        train_run(config, tmp_path / "run", report=silent)
    assert 0 <= train_run(config, tmp_path / "run", report=silent).accuracy <= 1


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    with mounted_disk(tmp_path / "disk", "200k") as disk:
        yield disk


def test_a_full_disk_is_one_line_of_the_command(class_folders, small_disk):
    quick = ["--image-size", "32x32", "--method", "none", "--epochs", "1", "--batch-size", "16"]
    command = ["train", "--data", class_folders, *quick, "--autocast", "off"]
    code, out, err = finish(*command, "--out", small_disk / "run")
    assert (code, out) == (3, "")
    assert "Traceback" not in err
    told = [line for line in err.splitlines() if line.startswith("edgecl: ")]
    assert len(told) == 1
    assert "checkpoint.pt: No space left on device" in told[0]


def test_safetensors_own_words_for_it_are_read(small_disk):
    with pytest.raises(EquipmentError, match="No space left"), replacing(small_disk / "x") as path:
        save_file({"x": torch.zeros(100_000)}, path)


def test_a_stream_on_a_full_disk_judges_on_and_says_what_was_lost(make_bundle, small_disk):
    bundle = make_bundle()
    with open(small_disk / "ballast", "wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while ballast.write(bytes(4096)):
            pass
    command = ["run", "--model", bundle, "--engine", "onnxruntime", "--camera", "demo"]
    more = ["--fps", "300", "--frames", "60", "--every-frame", "--out", small_disk / "o"]
    code, out, err = finish(*command, *more)
    assert code == 3, "the disk failed, and nobody's input"
    assert "60 verdicts could not be written (No space left on device)" in err
    assert "[disk-failing]" in err
    assert "judged 60" in out
    assert "60 LOST (No space left on device)" in out
    assert "note: the summary was not written" in err
    assert "note: the configuration was not written" in err
