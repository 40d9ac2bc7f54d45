"""Batch norm with its ReLU against torch's own in float64."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgecl.encoders.fused.batch_norm import batch_norm

# Largest error beside the largest number: half a last digit, and float32's rounding of the rest.
ERROR = {torch.float32: 2e-6, torch.bfloat16: 2**-8}
# Of 5,548 pixels, which no number of threads and no length of row divides; of channels by which a
# row is strung together, and of more than are.
SHAPES = [(2, 116, 38, 73), (4, 3, 19, 73), (1, 520, 7, 11), (3, 1, 5, 5)]


def draw(shape, dtype, *, mean=0.0, seed=1):
    numbers = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 3 + mean
    return numbers.to(dtype).to(memory_format=torch.channels_last)


def norm_of(channels, dtype=torch.float32):
    norm = nn.BatchNorm2d(channels, dtype=dtype)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        norm.weight.uniform_(-1, 1, generator=generator)
        norm.bias.normal_(generator=generator)
    return norm


def error(found, wanted):
    return float((found.detach().double() - wanted).abs().max() / wanted.abs().max())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_results_and_gradients_are_those_of_torch_in_float64(shape, relu, dtype, threads):
    x, gradient = draw(shape, dtype, mean=2.0), draw(shape, dtype, seed=3)
    norm, exact = norm_of(shape[1]), norm_of(shape[1], torch.float64)
    exact.load_state_dict(norm.state_dict())
    mine, wide = x.clone().requires_grad_(), x.double().requires_grad_()

    found = batch_norm(norm, mine, relu=relu)
    found.backward(gradient)
    wanted = torch.relu(exact(wide)) if relu else exact(wide)
    wanted.backward(gradient.double())

    assert found.dtype == dtype
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert error(found, wanted.detach()) < ERROR[dtype]
    assert error(mine.grad, wide.grad) < 2 * ERROR[dtype]
    for name in ("weight", "bias"):
        assert error(getattr(norm, name).grad, getattr(exact, name).grad) < 1e-5
    for name in ("running_mean", "running_var"):
        assert error(getattr(norm, name), getattr(exact, name)) < 1e-5
    assert norm.num_batches_tracked == exact.num_batches_tracked == 1


def test_a_mean_far_above_the_deviation_costs_no_digits(threads):
    x = draw((2, 24, 20, 30), torch.float32, mean=3000.0)
    norm, exact = norm_of(24), norm_of(24, torch.float64)
    exact.load_state_dict(norm.state_dict())
    found = batch_norm(norm, x, relu=False)
    assert error(found, exact(x.double()).detach()) < 1e-3  # of what float32 holds of x itself
    assert error(norm.running_var, exact.running_var) < 1e-5


def test_a_channel_of_one_number_gives_the_bias():
    x = torch.full((2, 8, 4, 4), 3.25).to(memory_format=torch.channels_last)
    norm = norm_of(8)
    found = batch_norm(norm, x, relu=False)
    bias = norm.bias.detach().view(1, 8, 1, 1).expand_as(found)
    torch.testing.assert_close(found, bias, rtol=0, atol=1e-4)  # 3.25/√eps is a thousand


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
@pytest.mark.filterwarnings("error")
def test_what_is_no_number_is_not_hidden_by_the_relu(dtype, poison, threads):
    x = draw((2, 24, 9, 9), dtype)
    x[1, 5, 3, 3] = poison
    x.requires_grad_()
    norm = norm_of(24)
    found = batch_norm(norm, x, relu=True)
    found.backward(torch.ones_like(found))
    assert found[:, 5].isnan().all()
    assert not found[:, :5].isnan().any()
    assert x.grad[:, 5].isnan().all()
    assert norm.weight.grad[5].isnan()
    assert not norm.running_mean[5].isfinite()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_of_any_layout_are_taken(dtype):
    x = draw((2, 24, 9, 9), dtype).requires_grad_()
    every = []
    for gradient in (
        draw((2, 48, 9, 9), dtype)[:, :24],  # what concatenation gives back
        draw((2, 48, 9, 9), dtype)[:, :24].contiguous(),
        draw((2, 48, 9, 9), dtype)[:, :24].contiguous(memory_format=torch.channels_last),
    ):
        x.grad = None
        batch_norm(norm_of(24), x, relu=True).backward(gradient)
        every.append(x.grad)
    assert torch.equal(every[0], every[1])
    assert torch.equal(every[0], every[2])
    batch_norm(norm_of(24), x, relu=True).sum().backward()  # one number for all


def test_a_repeated_step_is_the_same_bit_for_bit(threads):
    x = draw((2, 116, 38, 73), torch.bfloat16).requires_grad_()
    results = []
    for _ in range(3):
        x.grad, norm = None, norm_of(116)
        found = batch_norm(norm, x, relu=True)
        found.backward(draw(x.shape, torch.bfloat16))
        results.append((found.detach(), x.grad, norm.weight.grad, norm.running_var))
    for other in results[1:]:
        assert all(torch.equal(one, two) for one, two in zip(results[0], other, strict=True))


def test_x_is_left_as_it_was():
    x = draw((2, 24, 9, 9), torch.bfloat16).requires_grad_()
    before = x.detach().clone()
    batch_norm(norm_of(24), x, relu=True).sum().backward()
    assert torch.equal(x, before)
