"""Contrastive losses: pure functions of embeddings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def nt_xent(z1: Tensor, z2: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross-entropy over 2N views.

    Sources: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations",
    ICML 2020, Eq. 1; Zabin et al. 2023, Eq. 2–4. Each view's positive is the other view of its
    picture; the 2N − 2 views of other pictures are its negatives.

    Args:
        z1: N×D, first views; need not be normalised.
        z2: N×D, second views, row by row the same pictures.
        temperature: above 0.

    Returns:
        The mean over 2N views, float32, a scalar.

    Raises:
        ValueError: shapes that differ, fewer than two pictures, or a temperature not above 0.
    """
    logits = _similarities(z1, z2, temperature)
    return F.cross_entropy(logits, _positives(len(z1), logits.device))


def contrastive_accuracy(z1: Tensor, z2: Tensor) -> Tensor:
    """Share of the 2N views whose most similar other view is the one of the same picture.

    Args:
        z1, z2: N×D, as for `nt_xent`.
    """
    logits = _similarities(z1, z2, 1.0)
    return (logits.argmax(1) == _positives(len(z1), logits.device)).float().mean()


def _similarities(z1: Tensor, z2: Tensor, temperature: float) -> Tensor:
    if z1.shape != z2.shape or z1.ndim != 2:
        raise ValueError(f"views of shapes {tuple(z1.shape)} and {tuple(z2.shape)} do not pair")
    if len(z1) < 2:
        raise ValueError("a contrastive loss needs at least two pictures")
    if temperature <= 0:
        raise ValueError(f"temperature {temperature} is not above 0")
    # At T = 0.01 half-precision logits overflow: always float32 or wider, whatever autocast says.
    with torch.autocast(z1.device.type, enabled=False):
        wide = torch.promote_types(z1.dtype, torch.float32)
        z = F.normalize(torch.cat((z1, z2)).to(wide), dim=1)
        logits = z @ z.T / temperature
        own = torch.eye(len(z), dtype=torch.bool, device=z.device)
        return logits.masked_fill(own, float("-inf"))


def _positives(count: int, device: torch.device) -> Tensor:
    rows = torch.arange(count, device=device)
    return torch.cat((rows + count, rows))
