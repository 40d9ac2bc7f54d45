"""Every network's FP32 and FP16 graph beside torch, on real images.

Untrained networks answer nearly evenly, and what is even cannot change much; what they make of
two images differs so little that a head fitted to it magnifies every rounding. So each is
trained for a few steps. ResNet-50 needs hundreds to be as steady as FP16 asks for: after 60 of
them FP16 changed a probability by 0.007, after 200 by 0.003.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from torch import nn

from edgecl.learning.config import ENCODER_NAMES
from edgecl.learning.model import Backbone, Classifier
from export.gate.answers import exported_answers, trained_answers
from export.rewrites.all import apply
from export.stages.half import rounded_once
from export.stages.onnx_graph import to_onnx
from runtime.artifact.contract import InputContract, ModelContract
from runtime.session.opening import installed_engines
from tests.export.stages.test_graph_and_precisions import SIZE
from tests.large_encoders import encoders

DATA = Path(os.environ.get("EDGECL_DATA", Path(__file__).parents[4] / "shared" / "data"))
pytestmark = pytest.mark.skipif(
    not (DATA / "neu_cls").is_dir(), reason=f"no NEU images in {DATA}; set EDGECL_DATA"
)

# As many classes, and the size, that other tests export: each architecture is traced once.
LABELS = ("crazing", "inclusion", "patches")
IMAGES = 200
TAUGHT, BATCH = 40, 24
USUAL_EPOCHS, EPOCHS = (
    4,
    {"skipconvnet": 8, "shufflenet": 6, "squeezenet": 100, "resnet50": 40, "resnet50-pooled": 40},
)
USUAL_RATE, RATES = 1e-3, {"vgg19": 1e-4}
# SqueezeNet takes hundreds of steps before it tells anything apart; untrained, it is exported in
# test_graph_and_precisions.py.
LARGE = (
    "squeezenet",
    "resnet50",
    "resnet50-pooled",
    "inceptionv3",
    "resnet152",
    "vgg19",
    "resnet101-svm",
)
SIZES = {"inceptionv3": (80, 80), "skipconvnet": (16, 16)}
ENCODERS = encoders(ENCODER_NAMES, LARGE)


@dataclass
class Exported:
    """A network's answers on `IMAGES` images, as trained and by artefact and engine."""

    trained: np.ndarray
    answers: dict[tuple[str, str], np.ndarray]


def draw_images(size: tuple[int, int], numbers: range) -> np.ndarray:
    """The NEU images of these numbers, of each class, in the model's size."""
    read = [
        cv2.imread(str(DATA / "neu_cls" / label / f"{label}_{number}.jpg"), cv2.IMREAD_GRAYSCALE)
        for label in LABELS
        for number in numbers
    ]
    return np.stack([cv2.resize(image, size[::-1]) for image in read]).astype(np.uint8)


def network(name: str, size: tuple[int, int]) -> Classifier:
    """A network after a short training."""
    torch.manual_seed(0)
    classifier = Classifier(Backbone(name, size), len(LABELS))
    images = torch.from_numpy(draw_images(size, range(1, TAUGHT + 1))[:, None])
    targets = torch.arange(len(LABELS)).repeat_interleave(TAUGHT)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=RATES.get(name, USUAL_RATE))
    for _ in range(EPOCHS.get(name, USUAL_EPOCHS)):
        for rows in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            logits, _ = classifier.train()(images[rows])
            nn.functional.cross_entropy(logits, targets[rows]).backward()
            optimizer.step()
    classifier.eval()
    return classifier


@pytest.fixture(scope="module", params=ENCODERS)
def exported(request, tmp_path_factory, graph_of):
    size = SIZES.get(request.param, SIZE)
    classifier = network(request.param, size)
    images = draw_images(size, range(101, 101 + -(-IMAGES // len(LABELS))))[:IMAGES]
    contract = ModelContract(InputContract(*size), LABELS)
    # The quickest with nothing spared.
    export = to_onnx if request.param == "convnet" else graph_of
    raw = export(classifier, contract)
    graphs = {
        "fp32": apply(raw)[0],
        "fp16": apply(rounded_once(export(classifier, contract, half=True), raw))[0],
    }
    answers = {}
    for precision, graph in graphs.items():
        path = tmp_path_factory.mktemp("models") / f"model.{precision}.onnx"
        onnx.save(graph, path)
        for engine in installed_engines():
            answers[precision, engine] = exported_answers(path, precision, images, engine=engine)
        path.unlink()
    return Exported(trained_answers(classifier, images).probabilities, answers)


def test_the_networks_answers_are_decided(exported):
    assert np.median(exported.trained.max(axis=1)) > 0.5
    assert len(set(exported.trained.argmax(axis=1))) == len(LABELS)


@pytest.mark.parametrize("engine", installed_engines())
@pytest.mark.parametrize(
    ("precision", "change", "agreement"), [("fp32", 1e-4, 1), ("fp16", 5e-3, 0.995)]
)
def test_what_is_exported_answers_as_the_network_does(
    exported, engine, precision, change, agreement
):
    answers = exported.answers[precision, engine]
    assert np.abs(answers - exported.trained).max() <= change
    same = answers.argmax(axis=1) == exported.trained.argmax(axis=1)
    assert same.mean() >= agreement
