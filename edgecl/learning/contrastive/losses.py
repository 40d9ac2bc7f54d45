"""Contrastive losses: pure functions of embeddings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def nt_xent(z1: Tensor, z2: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross-entropy over 2N views.

    Sources: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations",
    ICML 2020, Eq. 1; Zabin et al. 2023, Eq. 2–4. Each view's positive is the other view of its
    image; the 2N − 2 views of other images are its negatives.

    Args:
        z1: N×D, first views; need not be normalised.
        z2: N×D, second views, row by row the same images.
        temperature: above 0.

    Returns:
        The mean over 2N views, float32, a scalar.

    Raises:
        ValueError: shapes that differ, fewer than two images, or a temperature not above 0.
    """
    logits = _similarities(z1, z2, temperature)
    return F.cross_entropy(logits, _positives(len(z1), logits.device))


def nt_xent_across_views(z1: Tensor, z2: Tensor, temperature: float) -> Tensor:
    """NT-Xent with negatives from the other view alone: ½ [CE(S) + CE(Sᵀ)], S = z₁z₂ᵀ/T.

    Source: the code of Zabin et al. 2023, whose text has the form over 2N views. Each view has
    N − 1 negatives.

    Args, Returns, Raises: as `nt_xent`.
    """
    _require_views(z1, z2, temperature)
    return _symmetric_cross_entropy(z1, z2, temperature)


def nnclr(
    z1: Tensor, z2: Tensor, neighbours1: Tensor, neighbours2: Tensor, temperature: float
) -> Tensor:
    """NNCLR: the neighbour of one view must find the other view of the same image.

    Sources: Dwibedi et al., ICCV 2021, Eq. 2 and its symmetric form; Zabin et al. 2023, Eq. 5,
    whose code has four cross-entropies: NN(z₁)·z₂ and its transpose, and both with the views
    swapped. Here they are averaged, and no gradient passes through a neighbour.

    Args:
        z1, z2: N×D, both views; need not be normalised.
        neighbours1, neighbours2: N×D, their nearest neighbours in the support set.
        temperature: above 0.

    Returns:
        The mean of the four, float32 or wider, a scalar.

    Raises:
        ValueError: shapes that differ, fewer than two images, or a temperature not above 0.
    """
    _require_views(z1, z2, temperature)
    for neighbours in (neighbours1, neighbours2):
        _require_views(z1, neighbours, temperature)
    there = _symmetric_cross_entropy(neighbours1.detach(), z2, temperature)
    back = _symmetric_cross_entropy(neighbours2.detach(), z1, temperature)
    return (there + back) / 2


def contrastive_accuracy(z1: Tensor, z2: Tensor) -> Tensor:
    """Share of the 2N views whose most similar other view is the one of the same image.

    Args:
        z1, z2: N×D, as for `nt_xent`.
    """
    logits = _similarities(z1, z2, 1.0)
    return (logits.argmax(1) == _positives(len(z1), logits.device)).float().mean()


def _similarities(z1: Tensor, z2: Tensor, temperature: float) -> Tensor:
    _require_views(z1, z2, temperature)
    with torch.autocast(z1.device.type, enabled=False):
        z = _unit(torch.cat((z1, z2)))
        logits = z @ z.T / temperature
        own = torch.eye(len(z), dtype=torch.bool, device=z.device)
        return logits.masked_fill(own, float("-inf"))


def _symmetric_cross_entropy(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    with torch.autocast(a.device.type, enabled=False):
        both = torch.promote_types(a.dtype, b.dtype)  # neighbours may come in another
        logits = _unit(a.to(both)) @ _unit(b.to(both)).T / temperature
        rows = torch.arange(len(a), device=a.device)
        return (F.cross_entropy(logits, rows) + F.cross_entropy(logits.T, rows)) / 2


def _unit(z: Tensor) -> Tensor:
    # At T = 0.01 half-precision logits overflow: always float32 or wider, whatever autocast says.
    return F.normalize(z.to(torch.promote_types(z.dtype, torch.float32)), dim=1)


def _require_views(z1: Tensor, z2: Tensor, temperature: float) -> None:
    if z1.shape != z2.shape or z1.ndim != 2:
        raise ValueError(f"views of shapes {tuple(z1.shape)} and {tuple(z2.shape)} do not pair")
    if len(z1) < 2:
        raise ValueError("a contrastive loss needs at least two images")
    if temperature <= 0:
        raise ValueError(f"temperature {temperature} is not above 0")


def _positives(count: int, device: torch.device) -> Tensor:
    rows = torch.arange(count, device=device)
    return torch.cat((rows + count, rows))
