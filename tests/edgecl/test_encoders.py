"""Encoders: the parameters that the paper's layers have, and the sizes they take."""

from __future__ import annotations

import pytest
import torch

from edgecl.encoders import ENCODERS, build_encoder
from edgecl.encoders.complexity import count_macs, count_parameters
from edgecl.encoders.shufflenet import shuffle_channels
from runtime.errors import InputError


@pytest.mark.parametrize(
    ("name", "size", "parameters"),
    [
        ("convnet", (128, 800), 6_066_176),
        ("convnet", (200, 500), 5_853_184),
        ("shufflenet", (128, 800), 413_764),
    ],
)
def test_parameters_are_those_of_the_paper(name, size, parameters):
    assert count_parameters(build_encoder(name, channels=3, image_size=size)) == parameters


def test_shufflenet_without_batch_norm_has_the_published_count():
    encoder = build_encoder("shufflenet", channels=3, image_size=(128, 800))
    norms = [m for m in encoder.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert count_parameters(encoder) - sum(count_parameters(norm) for norm in norms) == 402_996


@pytest.mark.parametrize(
    ("name", "size", "mmacs"),
    [
        ("convnet", (128, 800), 1214),
        ("convnet", (200, 200), 470),
        ("shufflenet", (128, 800), 295),
        ("shufflenet", (200, 200), 119),
    ],
)
def test_macs_of_gray_pictures(name, size, mmacs):
    encoder = build_encoder(name, channels=1, image_size=size)
    assert round(count_macs(encoder, channels=1, image_size=size) / 1e6) == mmacs


@pytest.mark.parametrize("name", list(ENCODERS))
@pytest.mark.parametrize("size", [(32, 32), (33, 117), (128, 31)])
@pytest.mark.parametrize("channels", [1, 3])
def test_odd_sizes_give_an_embedding(name, size, channels):
    encoder = build_encoder(name, channels=channels, image_size=size)
    assert encoder(torch.zeros(2, channels, *size)).shape == (2, 128)


@pytest.mark.parametrize(("name", "size"), [("convnet", (30, 200)), ("shufflenet", (64, 15))])
def test_a_picture_that_would_shrink_to_nothing_is_refused(name, size):
    with pytest.raises(InputError, match="use an image size of at least"):
        build_encoder(name, image_size=size)


def test_the_smallest_sizes_work():
    assert build_encoder("convnet", image_size=(31, 31))(torch.zeros(1, 1, 31, 31)).isfinite().all()
    encoder = build_encoder("shufflenet", image_size=(16, 16)).eval()
    assert encoder(torch.zeros(1, 1, 16, 16)).isfinite().all()


def test_unknown_names_and_channels_are_refused():
    with pytest.raises(InputError, match="choose among convnet, shufflenet"):
        build_encoder("resnet9000", image_size=(64, 64))
    with pytest.raises(InputError, match="1 or 3"):
        build_encoder("convnet", channels=4, image_size=(64, 64))


def test_channel_shuffle_interleaves_the_halves():
    x = torch.arange(6.0).view(1, 6, 1, 1)
    assert shuffle_channels(x).flatten().tolist() == [0, 3, 1, 4, 2, 5]
