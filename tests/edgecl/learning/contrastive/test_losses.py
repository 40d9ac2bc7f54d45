"""The contrastive losses against plain loops in float64, their gradients, and their edges."""

from __future__ import annotations

import math

import pytest
import torch

from edgecl.learning.contrastive.losses import (
    contrastive_accuracy,
    nnclr,
    nt_xent,
    nt_xent_across_views,
)


def plain_nt_xent(z1: torch.Tensor, z2: torch.Tensor, temperature: float) -> float:
    """Eq. 1 of the SimCLR paper, one view at a time."""
    views = [row / row.norm() for row in torch.cat((z1, z2)).double()]
    images = len(z1)
    total = 0.0
    for i, view in enumerate(views):
        positive = (i + images) % (2 * images)
        others = [
            math.exp(float(view @ other) / temperature) for k, other in enumerate(views) if k != i
        ]
        similarity = float(view @ views[positive]) / temperature
        total -= similarity - math.log(sum(others))
    return total / len(views)


def plain_cross_entropy(queries: torch.Tensor, keys: torch.Tensor, temperature: float) -> float:
    """One query at a time against all keys; its own is the one of its row."""
    total = 0.0
    for i, query in enumerate(queries.double()):
        similarities = [
            float(query @ key) / float(query.norm() * key.norm()) / temperature
            for key in keys.double()
        ]
        total -= similarities[i] - math.log(sum(math.exp(value) for value in similarities))
    return total / len(queries)


@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("images", [2, 7])
def test_the_cross_view_form_agrees_with_the_plain_loop(images, temperature):
    torch.manual_seed(images)
    z1, z2 = torch.randn(2, images, 5, dtype=torch.float64)
    expected = (
        plain_cross_entropy(z1, z2, temperature) + plain_cross_entropy(z2, z1, temperature)
    ) / 2
    assert nt_xent_across_views(z1, z2, temperature).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("images", [2, 7])
def test_nnclr_agrees_with_the_plain_loop(images, temperature):
    torch.manual_seed(images)
    z1, z2, n1, n2 = torch.randn(4, images, 5, dtype=torch.float64)
    pairs = ((n1, z2), (z2, n1), (n2, z1), (z1, n2))
    expected = sum(plain_cross_entropy(a, b, temperature) for a, b in pairs) / 4
    assert nnclr(z1, z2, n1, n2, temperature).item() == pytest.approx(expected, rel=1e-9)


def test_no_gradient_passes_through_a_neighbour():
    z1, z2, n1, n2 = (torch.randn(4, 3, requires_grad=True) for _ in range(4))
    nnclr(z1, z2, n1, n2, 0.2).backward()
    assert n1.grad is None
    assert n2.grad is None
    assert z1.grad is not None
    assert z2.grad is not None


@pytest.mark.parametrize("temperature", [0.01, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("images", [2, 7])
def test_agrees_with_the_plain_loop(images, temperature):
    torch.manual_seed(images)
    z1, z2 = torch.randn(2, images, 5, dtype=torch.float64)
    expected = plain_nt_xent(z1, z2, temperature)
    assert nt_xent(z1, z2, temperature).item() == pytest.approx(expected, rel=1e-9)


def nnclr_with_fixed_neighbours(z1: torch.Tensor, z2: torch.Tensor, t: float) -> torch.Tensor:
    fixed = torch.linspace(-1, 1, 2 * z1.numel(), dtype=z1.dtype).view(2, *z1.shape).sin()
    return nnclr(z1, z2, fixed[0], fixed[1], t)


LOSSES = pytest.mark.parametrize(
    "loss_of", [nt_xent, nt_xent_across_views, nnclr_with_fixed_neighbours]
)


@LOSSES
def test_identical_embeddings_leave_nothing_to_tell_apart(loss_of):
    """All similarities are 1: whatever the temperature, the loss is that of guessing."""
    z = torch.full((4, 3), 0.5, dtype=torch.float64, requires_grad=True)
    if loss_of is nnclr_with_fixed_neighbours:
        loss = nnclr(z, z, z, z, 0.01)
    else:
        loss = loss_of(z, z, 0.01)
    loss.backward()
    guesses = 7 if loss_of is nt_xent else 4
    assert loss.item() == pytest.approx(math.log(guesses))
    assert z.grad is not None
    torch.testing.assert_close(z.grad, torch.zeros_like(z), rtol=0, atol=1e-9)


@LOSSES
def test_gradients_are_right(loss_of):
    torch.manual_seed(0)
    z1, z2 = (torch.randn(4, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda a, b: loss_of(a, b, 0.2), (z1, z2))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(torch.linspace(-1, 1, 48).sin().view(6, 8), id="usual"),
        pytest.param(1e4 * torch.linspace(-9, 9, 48).sin().view(6, 8), id="large"),
        pytest.param(torch.full((6, 8), 0.3), id="identical"),
        pytest.param(torch.full((6, 8), 1e4), id="large and identical"),
    ],
)
@LOSSES
def test_stays_finite_at_a_low_temperature_under_autocast(loss_of, rows, dtype):
    torch.manual_seed(0)
    layer = torch.nn.Linear(8, 8)
    with torch.autocast("cpu", dtype=dtype):
        z = layer(rows)
        loss = loss_of(z, z.flip(0), 0.01)
    assert z.dtype == dtype
    assert z.isfinite().all()
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert layer.weight.grad is not None
    assert layer.weight.grad.isfinite().all()


def test_the_length_of_a_view_does_not_matter():
    torch.manual_seed(0)
    z1, z2 = torch.randn(2, 5, 4)
    torch.testing.assert_close(nt_xent(z1, z2, 0.1), nt_xent(3 * z1, 0.2 * z2, 0.1))


def test_accuracy_is_one_for_equal_views_and_zero_for_swapped_ones():
    z = torch.eye(4)
    assert contrastive_accuracy(z, z) == 1
    assert contrastive_accuracy(z, z.roll(1, 0)) == 0


@pytest.mark.parametrize(
    ("shape1", "shape2", "temperature"),
    [((4, 3), (5, 3), 0.1), ((1, 3), (1, 3), 0.1), ((4, 3), (4, 3), 0.0)],
)
@LOSSES
def test_what_cannot_be_contrasted_is_refused(loss_of, shape1, shape2, temperature):
    with pytest.raises(ValueError, match=r"pair|two images|temperature"):
        loss_of(torch.ones(shape1), torch.ones(shape2), temperature)
