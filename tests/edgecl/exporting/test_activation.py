"""Class activation: each place's share of the logits, whatever stands behind the last map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from edgecl.encoders import build_encoder
from edgecl.exporting.activation import ClassActivation
from edgecl.learning.model import Backbone, Classifier
from runtime.errors import InputError

SIDE = 96
LINEAR = ("shufflenet", "squeezenet", "convnet")
MAPPED = (*LINEAR, "skipconvnet")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def classifier_of(encoder: str) -> Classifier:
    classifier = Classifier(Backbone(encoder, (SIDE, SIDE)), 4).eval()
    for module in classifier.modules():  # an untrained bias is nothing that a sum could miss
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.bias)
    return classifier


def encoder_of(classifier: Classifier) -> Any:
    return classifier.backbone.encoder


def images(count: int = 3) -> torch.Tensor:
    return torch.randint(0, 256, (count, 1, SIDE, SIDE), dtype=torch.uint8)


@pytest.mark.parametrize("encoder", LINEAR)
def test_the_places_sum_to_the_logits_but_for_what_the_biases_add(encoder):
    classifier, batch = classifier_of(encoder), images()
    with torch.no_grad():
        logits = classifier(batch)[0]
        dense: Any = classifier.backbone.encoder.dense
        biases = classifier.head(dense(torch.zeros(1, dense.in_features)))
        probabilities, activation = ClassActivation(classifier, encoder).eval()(batch)
    assert activation.shape[:2] == (3, 4)
    assert activation.shape[2] == activation.shape[3] > 1
    torch.testing.assert_close(activation.sum(dim=(2, 3)) + biases, logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(probabilities, torch.softmax(logits, dim=1))


@pytest.mark.parametrize("encoder", MAPPED)
def test_the_activation_is_the_gradient_at_a_place_times_what_is_there(encoder):
    classifier, batch = classifier_of(encoder), images(2)
    activation = ClassActivation(classifier, encoder).eval()(batch)[1].detach()
    backbone, network = classifier.backbone, encoder_of(classifier)
    maps = network.features(backbone.encoder_input(batch)).detach().requires_grad_()
    pooled = {
        "mean": lambda: maps.mean(dim=(2, 3)),
        "max": lambda: maps.amax(dim=(2, 3)),
        "none": lambda: maps.flatten(1),
    }[network.last_map.pooling]()
    logits = classifier.head(network.dense(pooled))
    for label in range(4):
        (gradient,) = torch.autograd.grad(logits[:, label].sum(), maps, retain_graph=True)
        expected = (gradient * maps).sum(dim=1).detach()
        torch.testing.assert_close(activation[:, label], expected, rtol=1e-3, atol=1e-5)


def test_behind_a_mean_it_is_cam():
    classifier, batch = classifier_of("squeezenet"), images()
    network = encoder_of(classifier)
    with torch.no_grad():
        activation = ClassActivation(classifier, "squeezenet").eval()(batch)[1]
        maps = network.features(classifier.backbone.encoder_input(batch))
        weights = classifier.head.weight @ network.dense.weight
        cam = torch.einsum("ck,nkhw->nchw", weights, maps)
    torch.testing.assert_close(activation * cam[0, 0].numel(), cam, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("encoder", MAPPED)
def test_cells_look_where_they_are_said_to(encoder):
    side = 160
    network: Any = build_encoder(encoder, image_size=(side, side)).eval()
    noise = torch.randn(4, 1, side, side, requires_grad=True)
    maps = network.features(noise)
    for row, column in ((5, 4), (4, 5)) if maps.shape[2] < 20 else ((24, 30), (30, 24)):
        (gradient,) = torch.autograd.grad(maps[:, :, row, column].sum(), noise, retain_graph=True)
        weight = gradient.abs().sum(dim=(0, 1)).double().numpy()
        cells = network.last_map.cells
        for axis, cell in enumerate((row, column)):
            along = weight.sum(axis=1 - axis)
            centre = float((along * np.arange(side)).sum() / along.sum())
            assert abs(centre - (cells.first + cell * cells.stride)) < cells.stride / 5


@pytest.mark.parametrize("encoder", ["cnn-lstm", "vit-small"])
def test_an_encoder_that_mixes_places_is_refused_in_one_line(encoder):
    classifier = Classifier(Backbone(encoder, (32, 32)), 2).eval()
    with pytest.raises(InputError, match=f"no heat maps with {encoder}"):
        ClassActivation(classifier, encoder)
