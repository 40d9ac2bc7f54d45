"""The paper's comparison models: published counts, torchvision's names, the sizes they take."""

from __future__ import annotations

import json

import pytest
import torch

from edgecl.cli.shell import run as edgecl
from edgecl.encoders import ENCODERS, build_encoder
from edgecl.encoders.architectures.vit_small import LocalAttention, ShiftedPatches
from edgecl.encoders.complexity import count_macs, count_parameters
from edgecl.learning.model import Backbone, Classifier
from runtime.errors import InputError

COMPARISONS = ("inceptionv3", "resnet152", "vgg19", "resnet101-svm", "cnn-lstm", "vit-small")


def on_meta(name: str, size: tuple[int, int], channels: int = 1) -> torch.nn.Module:
    with torch.device("meta"):
        return build_encoder(name, channels=channels, image_size=size)


def shapes(name: str, size: tuple[int, int] = (128, 128)) -> dict[str, tuple[int, ...]]:
    state = on_meta(name, size, channels=3).state_dict()
    return {key: tuple(value.shape) for key, value in state.items()}


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        # torchvision's counts, without the last dense layers and the auxiliary classifier.
        ("inceptionv3", 27_161_264 - 3_326_696 - (2048 * 1000 + 1000)),
        ("resnet152", 60_192_808 - (2048 * 1000 + 1000)),
        ("resnet101-svm", 44_549_160 - (2048 * 1000 + 1000)),
        ("vgg19", 143_667_240 - (512 * 49 * 4096 + 4096) - (4096**2 + 4096) - (4097 * 1000)),
        ("cnn-lstm", 1_170_304),
    ],
)
def test_weights_are_as_many_as_elsewhere(name, weights):
    encoder = on_meta(name, (128, 800), channels=3)
    assert sum(parameter.numel() for parameter in encoder.parameters()) == weights


def test_the_small_vit_has_the_published_count_as_a_classifier_of_six():
    with torch.device("meta"):
        classifier = Classifier(Backbone("vit-small", (224, 224)), 6)
    assert count_parameters(classifier) == 13_970_380


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize(("size", "channels"), [((75, 75), 1), ((77, 131), 3), ((128, 800), 1)])
def test_odd_sizes_give_an_embedding(name, size, channels):
    encoder = on_meta(name, size, channels)
    images = torch.zeros(2, channels, *size, device="meta")
    assert encoder(images).shape == (2, ENCODERS[name].embedding_size)


@pytest.mark.parametrize(
    ("name", "smallest"), [("inceptionv3", 75), ("vgg19", 32), ("cnn-lstm", 16), ("vit-small", 16)]
)
def test_the_smallest_size_works_and_one_less_is_refused(name, smallest):
    encoder = on_meta(name, (smallest, smallest))
    embedding = encoder(torch.zeros(2, 1, smallest, smallest, device="meta"))
    assert embedding.shape == (2, ENCODERS[name].embedding_size)
    with pytest.raises(InputError, match=f"{name} cannot .* at least {smallest}x{smallest}"):
        on_meta(name, (smallest - 1, 200))


@pytest.mark.parametrize(
    ("name", "blocks"), [("resnet50-pooled", 16), ("resnet101-svm", 33), ("resnet152", 50)]
)
def test_resnets_have_the_names_of_torchvision(name, blocks):
    found = shapes(name)
    weights = {key for key in found if key.endswith("weight") and not key.startswith("dense")}
    stem = {"conv1.weight", "bn1.weight"}
    # Three convolutions and three norms per block, and a projection at the start of each stage.
    assert len(weights - stem) == 6 * blocks + 2 * 4
    assert found["layer1.0.downsample.0.weight"] == (256, 64, 1, 1)
    assert found["layer2.0.conv2.weight"] == (128, 128, 3, 3)
    assert found["layer3.5.bn3.running_var"] == (1024,)
    assert found["layer4.2.conv3.weight"] == (2048, 512, 1, 1)


def test_vgg19_has_the_names_of_torchvision():
    numbers = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
    found = shapes("vgg19")
    assert set(found) == {f"features.{n}.{kind}" for n in numbers for kind in ("weight", "bias")}
    assert found["features.19.weight"] == (512, 256, 3, 3)


def test_inceptionv3_has_the_names_of_torchvision():
    found = shapes("inceptionv3")
    assert sum(key.endswith("conv.weight") for key in found) == 94
    assert {
        "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
        "Conv2d_3b_1x1.bn.running_mean": (80,),
        "Conv2d_4a_3x3.conv.weight": (192, 80, 3, 3),
        "Mixed_5b.branch_pool.conv.weight": (32, 192, 1, 1),
        "Mixed_5d.branch5x5_2.conv.weight": (64, 48, 5, 5),
        "Mixed_6a.branch3x3.conv.weight": (384, 288, 3, 3),
        "Mixed_6c.branch7x7_2.conv.weight": (160, 160, 1, 7),
        "Mixed_6c.branch7x7dbl_2.conv.weight": (160, 160, 7, 1),
        "Mixed_6e.branch7x7dbl_5.conv.weight": (192, 192, 1, 7),
        "Mixed_7a.branch7x7x3_4.conv.weight": (192, 192, 3, 3),
        "Mixed_7b.branch3x3dbl_1.conv.weight": (448, 1280, 1, 1),
        "Mixed_7c.branch3x3_2a.conv.weight": (384, 384, 1, 3),
        "Mixed_7c.branch3x3dbl_3b.conv.weight": (384, 384, 3, 1),
        "Mixed_7c.branch1x1.conv.weight": (320, 2048, 1, 1),
    }.items() <= found.items()


def test_macs_know_recurrent_layers_and_attention():
    # Known elsewhere at 224×224: 11.51 and 5.7 (at 299×299) thousand million.
    for name, size, giga in (("resnet152", (224, 224), 11.51), ("inceptionv3", (299, 299), 5.71)):
        macs = count_macs(on_meta(name, size, 3), channels=3, image_size=size)
        assert macs / 1e9 == pytest.approx(giga, abs=0.02)
    # One column less for the LSTM is a sixteenth of the image less for the convolutions.
    wide, narrow = (
        count_macs(on_meta("cnn-lstm", (16, width)), channels=1, image_size=(16, width))
        for width in (32, 16)
    )
    convolutions = 16 * 16 * 9 * (32 + 32 * 64 / 4 + 64 * 128 / 16 + 128 * 256 / 64)
    assert wide - narrow == convolutions + 4 * 320 * (256 + 320)
    tokens = 4 * 4
    layer = tokens * (4 * 64 * 256 + 2 * 64 * 128) + 2 * tokens**2 * 256
    total = 6 * layer + tokens * 1280 * 64 + tokens * 64 * 1024 + 1024 * 512
    assert count_macs(on_meta("vit-small", (64, 64)), channels=1, image_size=(64, 64)) == total


def test_no_token_looks_at_itself():
    torch.manual_seed(0)
    attention = LocalAttention().eval()
    tokens = torch.randn(1, 5, 64)
    moved = tokens.clone()
    moved[0, 2] += 1
    with torch.no_grad():
        values = attention.value(tokens)
        # Let the queries be nothing: then every token sees the mean of all others' values.
        torch.nn.init.zeros_(attention.query.weight)
        torch.nn.init.zeros_(attention.query.bias)
        change = attention(moved) - attention(tokens)
        others = (values.sum(dim=1, keepdim=True) - values) / 4
        assert torch.allclose(attention(tokens), attention.out(others), atol=1e-5)
    assert change[0, 2].abs().max() < 1e-5 < change[0, 1].abs().max()


def test_patches_are_shifted_to_the_four_corners():
    patches = ShiftedPatches(1)
    seen: list[torch.Tensor] = []
    patches.norm.register_forward_hook(lambda *call: seen.append(call[1][0]))
    image = torch.arange(32.0 * 48).view(1, 1, 32, 48) + 1
    assert patches(image).shape == (1, 2 * 3, 64)
    whole, *shifted = seen[0].view(1, 2, 3, 16, 16, 5).permute(5, 0, 1, 3, 2, 4).reshape(5, 32, 48)
    image = image[0, 0]
    assert torch.equal(whole, image)
    corners = [(slice(8, None), slice(8, None)), (slice(None, -8), slice(8, None))]
    corners += [(slice(8, None), slice(None, -8)), (slice(None, -8), slice(None, -8))]
    for corner, moved, back in zip(corners, shifted, corners[::-1], strict=True):
        assert torch.equal(moved[back], image[corner])
        assert (moved == 0).sum() == 32 * 48 - 24 * 40


def test_the_list_leaves_out_what_cannot_take_the_size(capsys):
    assert edgecl(["encoders", "--json", "--image-size", "40x64"]) == 0
    captured = capsys.readouterr()
    assert [row["name"] for row in json.loads(captured.out)] == [
        name for name in ENCODERS if name != "inceptionv3"
    ]
    assert "skipped: inceptionv3 cannot process 40x64 images" in captured.err
