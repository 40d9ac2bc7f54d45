"""Encoders: the parameters that the paper's layers have, and the sizes they take."""

from __future__ import annotations

import click
import pytest
import torch

from edgecl.cli.study.command import command as study
from edgecl.cli.train.command import command as train
from edgecl.encoders import ENCODERS, build_encoder
from edgecl.encoders.architectures.shufflenet import shuffle_channels
from edgecl.encoders.complexity import count_macs, count_parameters
from edgecl.learning.config import ENCODER_NAMES
from runtime.errors import InputError


@pytest.mark.parametrize(
    ("name", "size", "parameters", "of_two_more_channels"),
    [
        ("convnet", (128, 800), 6_066_176, 2 * 128 * 9),
        ("convnet", (200, 500), 5_853_184, 2 * 128 * 9),
        ("skipconvnet", (128, 800), 922_112, 2 * 128 * 9),
        ("skipconvnet", (100, 100), 922_112, 2 * 128 * 9),
        ("shufflenet", (128, 800), 413_764, 2 * 24 * 9),
        ("squeezenet", (128, 800), 127_400, 2 * 24 * 9),
        ("resnet50", (128, 800), 49_802_240, 2 * 64 * 49),
    ],
)
def test_parameters_are_those_of_the_paper(name, size, parameters, of_two_more_channels):
    assert count_parameters(build_encoder(name, channels=3, image_size=size)) == parameters
    gray = build_encoder(name, channels=1, image_size=size)
    assert count_parameters(gray) == parameters - of_two_more_channels


def test_the_pooled_resnet_has_the_same_body():
    flat = build_encoder("resnet50", channels=3, image_size=(128, 800))
    pooled = build_encoder("resnet50-pooled", channels=3, image_size=(128, 800))
    dense = [count_parameters(encoder.get_submodule("dense")) for encoder in (flat, pooled)]
    assert count_parameters(flat) - dense[0] == count_parameters(pooled) - dense[1] == 23_587_712
    assert dense == [2048 * 4 * 25 * 128 + 128, 2048 * 128 + 128]


def test_the_command_line_knows_every_encoder():
    for command in (train, study):
        option = next(option for option in command.params if "--encoder" in option.opts)
        assert isinstance(option.type, click.Choice)
        assert tuple(option.type.choices) == tuple(ENCODERS)


def test_shufflenet_without_batch_norm_has_the_published_count():
    encoder = build_encoder("shufflenet", channels=3, image_size=(128, 800))
    norms = [m for m in encoder.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert count_parameters(encoder) - sum(count_parameters(norm) for norm in norms) == 402_996


@pytest.mark.parametrize(
    ("name", "size", "mmacs"),
    [
        ("convnet", (128, 800), 1214),
        ("convnet", (200, 200), 470),
        ("skipconvnet", (128, 800), 22_591),
        ("shufflenet", (128, 800), 295),
        ("shufflenet", (200, 200), 119),
    ],
)
def test_macs_of_gray_images(name, size, mmacs):
    encoder = build_encoder(name, channels=1, image_size=size)
    assert round(count_macs(encoder, channels=1, image_size=size) / 1e6) == mmacs


@pytest.mark.parametrize("name", ENCODER_NAMES[:6])
@pytest.mark.parametrize("size", [(32, 32), (33, 117), (128, 31)])
@pytest.mark.parametrize("channels", [1, 3])
def test_odd_sizes_give_an_embedding(name, size, channels):
    encoder = build_encoder(name, channels=channels, image_size=size)
    assert encoder(torch.zeros(2, channels, *size)).shape == (2, 128)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("convnet", (30, 200)),
        ("skipconvnet", (12, 64)),
        ("shufflenet", (64, 15)),
        ("squeezenet", (16, 64)),
    ],
)
def test_a_image_that_would_shrink_to_nothing_is_refused(name, size):
    with pytest.raises(InputError, match="use an image size of at least"):
        build_encoder(name, image_size=size)


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("convnet", 31),
        ("skipconvnet", 13),
        ("shufflenet", 16),
        ("squeezenet", 17),
        ("resnet50", 1),
        ("resnet50-pooled", 1),
    ],
)
def test_the_smallest_sizes_work(name, side):
    encoder = build_encoder(name, image_size=(side, side)).eval()
    assert encoder(torch.zeros(1, 1, side, side)).isfinite().all()


def test_unknown_names_and_channels_are_refused():
    with pytest.raises(InputError, match="choose from convnet, skipconvnet, shufflenet"):
        build_encoder("resnet9000", image_size=(64, 64))
    with pytest.raises(InputError, match="1 or 3"):
        build_encoder("convnet", channels=4, image_size=(64, 64))


def test_channel_shuffle_interleaves_the_halves():
    x = torch.arange(6.0).view(1, 6, 1, 1)
    assert shuffle_channels(x).flatten().tolist() == [0, 3, 1, 4, 2, 5]


def test_channel_shuffle_keeps_the_layout_and_gives_the_same_in_both():
    x = torch.randn(2, 6, 3, 4)
    last = shuffle_channels(x.to(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert shuffle_channels(x).is_contiguous()
    assert torch.equal(last, shuffle_channels(x))


@pytest.mark.parametrize("name", ["convnet", "skipconvnet"])
def test_the_papers_encoders_begin_as_in_keras(name):
    torch.manual_seed(0)
    encoder = build_encoder(name, channels=1, image_size=(96, 96))
    for layer in encoder.modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
            assert layer.bias is not None
            assert not layer.bias.any()
            pixels = layer.weight[0, 0].numel()
            fans = pixels * (layer.weight.shape[0] + layer.weight.shape[1])
            assert float(layer.weight.detach().var()) * fans / 2 == pytest.approx(1, abs=0.1)
