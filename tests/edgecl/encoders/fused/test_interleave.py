"""Interleaving against torch's concatenation and shuffle."""

from __future__ import annotations

import pytest
import torch

from edgecl.encoders.architectures.shufflenet import shuffle_channels
from edgecl.encoders.fused import interleave


def draw(shape, dtype, seed):
    numbers = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return numbers.to(dtype).to(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(2, 116, 13, 7), (1, 1, 3, 3), (3, 40, 1, 5), (2, 7, 5, 1)])
def test_it_is_concatenation_and_shuffle(shape, dtype, threads):
    left, right = (draw(shape, dtype, seed).requires_grad_() for seed in (1, 2))
    gradient = draw((shape[0], 2 * shape[1], *shape[2:]), dtype, 3)
    found = interleave(left, right)
    assert found is not None
    assert torch.equal(found, shuffle_channels(torch.cat((left, right), dim=1)))
    mine = torch.autograd.grad(found, (left, right), gradient)
    wanted = torch.autograd.grad(
        shuffle_channels(torch.cat((left, right), dim=1)), (left, right), gradient
    )
    assert all(torch.equal(one, two) for one, two in zip(mine, wanted, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_first_half_of_a_map_is_read_where_it_lies(dtype, threads):
    whole, right = draw((2, 48, 9, 5), dtype, 1), draw((2, 24, 9, 5), dtype, 2)
    found = interleave(whole.chunk(2, dim=1)[0], right)
    assert found is not None
    assert torch.equal(found[:, ::2], whole[:, :24])
    assert torch.equal(found[:, 1::2], right)


def test_what_it_cannot_read_is_left_to_torch():
    whole, right = draw((2, 48, 9, 5), torch.float32, 1), draw((2, 24, 9, 5), torch.float32, 2)
    assert interleave(whole.chunk(2, dim=1)[1], right) is None  # its last row would end outside
    assert interleave(whole[:, ::2], right) is None
    assert interleave(right.contiguous(), right) is None
    assert interleave(right.double(), right) is None
