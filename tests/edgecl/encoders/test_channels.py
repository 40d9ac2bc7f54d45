"""`--channels 3`: trained on three copies of the gray image, shipped as one of gray."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from edgecl.cli.shell import run as edgecl
from edgecl.encoders import build_encoder
from edgecl.encoders.complexity import count_macs, count_parameters
from edgecl.exporting.folding import folded_to_gray
from edgecl.exporting.job import ExportChoices, job_of_run
from edgecl.learning.config import ENCODER_NAMES, TrainConfig
from edgecl.learning.model import Backbone, Classifier, standardise
from edgecl.learning.run import run_directory
from edgecl.learning.run.pretrained import read_pretrained
from edgecl.learning.runner import train_run
from runtime.errors import InputError
from runtime.session import open_session
from tests.large_encoders import encoders

SIZE = (80, 90)


def silent(*_: object) -> None:
    pass


@pytest.fixture(scope="module")
def run_of_three(tiny_config, made_once):
    config = replace(tiny_config, channels=3, pretrain_epochs=1, epochs=4)
    return made_once("runs/three", lambda run: train_run(config, run, report=silent))


def images(count: int, size: tuple[int, int]) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (count, 1, *size), generator=generator, dtype=torch.uint8)


def test_the_encoder_sees_the_standardised_gray_three_times():
    backbone = Backbone("shufflenet", SIZE, channels=3)
    seen: list[torch.Tensor] = []
    backbone.encoder.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    backbone(images(2, SIZE))
    (copies,) = seen
    assert copies.shape == (2, 3, *SIZE)
    assert copies.stride(1) == 0  # three views of one image, not three images
    torch.testing.assert_close(copies[:, 2:], standardise(images(2, SIZE)))


@pytest.mark.parametrize(
    "name", encoders(ENCODER_NAMES, {"resnet50-pooled", "resnet152", "resnet101-svm"})
)
def test_the_folded_network_answers_alike_and_is_as_small_as_one_of_gray(name):
    config = TrainConfig(encoder=name, image_size=SIZE, channels=3)
    torch.manual_seed(1)
    trained = Classifier(Backbone(name, SIZE, channels=3), 4).eval()
    folded = folded_to_gray(trained, config)
    with torch.no_grad():
        for mine, theirs in zip(folded(images(3, SIZE)), trained(images(3, SIZE)), strict=True):
            scale = float(theirs.abs().max())
            torch.testing.assert_close(mine, theirs, rtol=0, atol=2e-5 * scale)
    if name == "vit-small":
        assert folded is trained
        return
    gray = build_encoder(name, image_size=SIZE)
    assert count_parameters(folded.backbone.encoder) == count_parameters(gray)
    assert not folded.training


def test_a_network_of_gray_is_not_folded():
    config = TrainConfig(encoder="squeezenet", image_size=SIZE)
    classifier = Classifier(Backbone("squeezenet", SIZE), 3).eval()
    assert folded_to_gray(classifier, config) is classifier


def test_a_run_counts_its_channels(run_of_three, tiny_config):
    result = run_directory.read_result(run_of_three)
    encoder = build_encoder("shufflenet", channels=3, image_size=(32, 32))
    assert result.channels == 3
    assert result.parameters == count_parameters(encoder) == 413_764
    assert result.macs == count_macs(encoder, channels=3, image_size=(32, 32))
    weights = load_file(run_of_three / "encoder.safetensors")
    assert weights["encoder.stem.0.weight"].shape[1] == 3
    assert result.accuracy > 0.6


@pytest.mark.usefixtures("graphs_made_once")
def test_a_run_of_three_channels_ships_as_fast_as_one_of_gray(run_of_three, tmp_path):
    import onnx

    out = tmp_path / "three.edgecl"
    arguments = ["export", str(run_of_three), "--fp16", "--max-drop", "20", "--out", str(out)]
    assert edgecl(arguments) == 0
    graph = onnx.load(out / "model.fp32.onnx").graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    first = next(node for node in graph.node if node.op_type == "Conv")
    assert shapes[first.input[1]][1:] == (1, 3, 3)
    assert "gray-input" in json.loads((out / "manifest.json").read_text())["rewrites"]
    classifier, _ = run_directory.load_classifier(run_of_three)
    batch = images(5, (32, 32))
    with torch.no_grad():
        expected = torch.softmax(classifier(batch)[0], 1).numpy()
    with open_session(out, "fp32") as session:
        np.testing.assert_allclose(session.infer(batch.numpy()).probabilities, expected, atol=1e-4)


def test_the_export_is_compared_with_the_network_as_trained(run_of_three):
    job = job_of_run(run_of_three, ExportChoices(), silent)
    assert isinstance(job.trained, Classifier)
    assert job.trained.backbone.channels == 3
    assert job.origin.channels == 3


def test_a_run_from_before_there_was_a_choice_is_of_gray(trained_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained_run, run)
    whole = json.loads((run / "config.json").read_text())
    del whole["choices"]["channels"]
    (run / "config.json").write_text(json.dumps(whole))
    classifier, recorded = run_directory.load_classifier(run)
    assert recorded.choices.channels == classifier.backbone.channels == 1


def test_a_pretraining_of_three_channels_is_not_taken_for_gray(run_of_three, tiny_config):
    with pytest.raises(
        InputError, match=r"with channels 3, but this run uses 1; change --channels"
    ):
        read_pretrained(run_of_three, tiny_config)
    assert read_pretrained(run_of_three, replace(tiny_config, channels=3)).facts.channels == 3


def test_the_command_line_takes_one_or_three(class_folders, tmp_path, capfd):
    quick = ["--image-size", "32x32", "--method", "none", "--epochs", "1", "--batch-size", "16"]
    run = tmp_path / "run"
    arguments = ["train", "--data", str(class_folders), "--out", str(run), *quick]
    assert edgecl([*arguments, "--channels", "2"]) == 2
    assert edgecl([*arguments, "--autocast", "off", "--channels", "3"]) == 0
    config = run_directory.read_config(run).choices
    assert config.channels == 3
    capfd.readouterr()
