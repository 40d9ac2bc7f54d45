"""What is fused, what is left alone, and that nobody can tell."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from edgecl.encoders import build_encoder
from edgecl.encoders.fused import FusedSequential, pixels
from edgecl.encoders.fused.batch_norm import batch_norm as fused_batch_norm


def layers():
    torch.manual_seed(0)
    return (
        nn.Conv2d(3, 24, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.Conv2d(24, 40, 1),
        nn.BatchNorm2d(40),
        nn.ReLU(),
        nn.Conv2d(40, 16, 1),
        nn.BatchNorm2d(16),
    )


def chain(*modules):
    fused = FusedSequential(*(modules or layers()))
    return fused.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def images(side=20):
    return torch.rand(4, 3, side, side).to(memory_format=torch.channels_last)


@pytest.fixture
def fused_norms(monkeypatch):
    """Whether each batch norm that was fused took its ReLU with it."""
    taken: list[bool] = []

    def batch_norm(norm, x, *, relu):
        taken.append(relu)
        return fused_batch_norm(norm, x, relu=relu)

    monkeypatch.setattr("edgecl.encoders.fused.sequential.batch_norm", batch_norm)
    return taken


def test_a_step_is_that_of_a_sequential(fused_norms, threads):
    mine = chain()
    plain = nn.Sequential(*copy.deepcopy(list(mine)))
    x = images()
    found, wanted = mine(x), plain(x)
    assert fused_norms == [True, False]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    for module in (mine, plain):
        module(x).square().mean().backward()
    for one, two in zip(mine.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, two.grad, rtol=1e-4, atol=1e-6)
    for buffer, other in zip(mine.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(buffer, other)
    assert list(mine.state_dict()) == list(plain.state_dict())


def test_evaluation_is_torchs_own(fused_norms):
    mine = chain().eval()
    x = images()
    assert torch.equal(mine(x), nn.Sequential(*mine)(x))
    assert fused_norms == []


def test_small_maps_keep_to_torch(fused_norms, monkeypatch):
    monkeypatch.setattr(pixels, "FEWEST_NUMBERS", 1 << 20)
    chain()(images())
    assert fused_norms == []


@pytest.mark.parametrize(
    "error",
    [ImportError("Numba needs NumPy 2.5 or less"), RuntimeError("no locator available for file")],
)
def test_where_nothing_can_be_compiled_training_goes_on(error, fused_norms, monkeypatch):
    def missing(name):
        raise error

    monkeypatch.setattr("importlib.import_module", missing)
    pixels._can_compile.cache_clear()
    try:
        chain()(images())
    finally:
        pixels._can_compile.cache_clear()
    assert fused_norms == []


@pytest.mark.parametrize(
    "norm",
    [
        type("SpansRanks", (nn.BatchNorm2d,), {})(40),
        nn.BatchNorm2d(40, affine=False),
        nn.BatchNorm2d(40, track_running_stats=False),
        nn.BatchNorm2d(40, momentum=None),
        nn.BatchNorm2d(40).eval(),
        nn.InstanceNorm2d(40),
    ],
    ids=["subclass", "not affine", "no statistics", "cumulative", "frozen", "another"],
)
def test_other_norms_are_left_alone(norm, fused_norms):
    chain(nn.Conv2d(3, 40, 1), norm, nn.ReLU())(images())
    assert fused_norms == []


def test_norms_whose_weights_are_half_are_left_alone(fused_norms):
    chain().to(torch.bfloat16)(images().to(torch.bfloat16))
    assert fused_norms == []


def test_images_that_are_not_channels_last_are_left_alone(fused_norms):
    FusedSequential(*layers())(images().contiguous())
    assert fused_norms == []


@pytest.mark.parametrize(
    ("name", "with_relu", "without", "dtype"),
    [
        ("shufflenet", 10, 6, torch.float32),
        pytest.param("shufflenet", 10, 6, torch.bfloat16, marks=pytest.mark.slow),
        pytest.param("cnn-lstm", 4, 0, torch.float32, marks=pytest.mark.slow),
    ],
)
def test_an_encoders_step_is_as_near_to_float64_as_torchs(
    name, with_relu, without, dtype, fused_norms, monkeypatch
):
    # A sum that is rounded otherwise may lie beyond a ReLU's edge, and move a gradient by far
    # more than rounding does, in either's step: so several steps are looked at.
    ratios = []
    for seed in range(5):
        torch.manual_seed(seed)
        encoder = build_encoder(name, channels=1, image_size=(80, 96))
        encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        x = torch.rand(6, 1, 80, 96).to(memory_format=torch.channels_last)
        fused_norms.clear()
        mine = _step(encoder, x, dtype)
        assert fused_norms.count(True) == with_relu
        assert fused_norms.count(False) == without
        with monkeypatch.context() as patch:
            patch.setattr(pixels, "FEWEST_NUMBERS", 1 << 40)
            torchs = _step(encoder, x, dtype)
            exact = _step(encoder.double(), x.double(), torch.float64)
        assert len(fused_norms) == with_relu + without
        ratios.append(
            [
                float((found - wanted).norm() / (other - wanted).norm())
                for found, other, wanted in zip(mine, torchs, exact, strict=True)
            ]
        )
    assert (np.median(ratios, axis=0) < 2).all()


def _step(encoder, x, dtype):
    """Return the embedding and all gradients of one step, in float64."""
    net = copy.deepcopy(encoder)
    with torch.autocast("cpu", dtype, enabled=dtype == torch.bfloat16):
        embedding = net(x)
    embedding.to(x.dtype).square().mean().backward()
    gradients = torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])
    return embedding.detach().double(), gradients.double()
