"""One epoch of each stage. Randomness is passed in; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from edgecl.learning.compute.placement import Compute
from edgecl.learning.compute.residency import Images, prepared, prepares_ahead, upload
from edgecl.learning.contrastive.augmentation import Recipe, augment, two_views
from edgecl.learning.contrastive.losses import contrastive_accuracy
from edgecl.learning.contrastive.objectives import Objective
from edgecl.learning.contrastive.shared_views import recipe_of
from edgecl.learning.model import Classifier

OnStep = Callable[[], None]
LOSS, WEIGHTS = "the loss", "the weights"


@dataclass(frozen=True)
class EpochResult:
    """Means over an epoch: loss, and accuracy from 0 to 1."""

    loss: float
    accuracy: float


class DivergedError(ArithmeticError):
    """Raised for a value that is not finite, or too large to compute with.

    Args:
        step: the first step of the epoch, from 1, that had one; None where no step was made.
        what: whose value, such as `the loss`.
    """

    def __init__(self, step: int | None, what: str = LOSS) -> None:
        super().__init__(f"{what} of step {step} is not finite")
        self.step = step
        self.what = what


def batches(
    count: int, size: int, rng: np.random.Generator, *, whole_only: bool
) -> Iterator[NDArray[np.int64]]:
    """Row numbers in random order, `size` at a time.

    Args:
        whole_only: leave out a last batch that is smaller.
    """
    order = rng.permutation(count)
    stop = count - count % size if whole_only else count
    for start in range(0, stop, size):
        yield order[start : start + size]


def pretrain_epoch(
    projector: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Images,
    *,
    objective: Objective,
    recipe: Recipe,
    batch_size: int,
    rng: np.random.Generator,
    compute: Compute,
    on_step: OnStep,
) -> EpochResult:
    """One epoch of contrastive learning.

    Args:
        projector: backbone and projection head, in train mode.
        images: uint8, N×H×W, at least `batch_size` of them.

    Raises:
        DivergedError: a loss or a weight is not finite; the weights are lost.
    """

    def views_of(rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        share = compute.ranks.share(len(rows))
        return two_views(images[rows[share.rows]], recipe_of(share, recipe), rng, compute.device)

    losses: list[Tensor] = []
    accuracies: list[Tensor] = []
    order = batches(len(images), batch_size, rng, whole_only=True)
    ahead = prepares_ahead(images, compute.device)
    for rows, (first, second) in prepared(order, views_of, ahead=ahead):
        share = compute.ranks.share(len(rows))
        with compute.casting():
            # Both views go through in one pass: batch norm must not see them apart.
            z1, z2 = map(share.gather, projector(torch.cat((first, second))).chunk(2))
        loss = objective(z1, z2, upload(rows, compute.device))
        optimizer.zero_grad(set_to_none=True)
        compute.backward(loss)
        compute.ranks.average_gradients(projector)
        compute.step(optimizer)
        losses.append(loss.detach())
        accuracies.append(contrastive_accuracy(z1.detach(), z2.detach()))
        on_step()
    loss_of_epoch = _finite_mean(losses, compute)
    _require_finite(projector, step=len(losses))
    return EpochResult(loss_of_epoch, _mean(accuracies))


def finetune_epoch(
    classifier: Classifier,
    optimizer: torch.optim.Optimizer,
    images: Images,
    targets: NDArray[Any],
    *,
    recipe: Recipe,
    batch_size: int,
    rng: np.random.Generator,
    compute: Compute,
    on_step: OnStep,
    shown: NDArray[np.int64] | None = None,
) -> EpochResult:
    """One epoch of cross-entropy on labelled images; the whole network is trained.

    Args:
        images: uint8, N×H×W.
        targets: class numbers, int64 N, or probabilities, float32 N×C.
        shown: int64 M, the rows that the epoch shows, in any order; None for each once.

    Raises:
        DivergedError: a loss or a weight is not finite; the weights are lost.
    """

    def view_of(rows: NDArray[np.int64]) -> Tensor:
        share = compute.ranks.share(len(rows))
        return augment(images[rows[share.rows]], recipe_of(share, recipe), rng, compute.device)

    losses: list[Tensor] = []
    hits: list[Tensor] = []
    # A last batch of one or two images would upset batch norm; it is left to the next shuffle.
    count = len(images) if shown is None else len(shown)
    order = batches(count, batch_size, rng, whole_only=count >= batch_size)
    if shown is not None:
        order = (shown[places] for places in order)
    ahead = prepares_ahead(images, compute.device)
    for rows, view in prepared(order, view_of, ahead=ahead):
        share = compute.ranks.share(len(rows))
        target = upload(targets[rows], compute.device)
        with compute.casting():
            logits = share.gather(classifier(view)[0])
        loss = F.cross_entropy(logits.float(), target)
        optimizer.zero_grad(set_to_none=True)
        compute.backward(loss)
        compute.ranks.average_gradients(classifier)
        compute.step(optimizer)
        losses.append(loss.detach())
        answer = target if target.ndim == 1 else target.argmax(1)
        hits.append((logits.argmax(1) == answer).float().mean())
        on_step()
    loss_of_epoch = _finite_mean(losses, compute)
    _require_finite(classifier, step=len(losses))
    return EpochResult(loss_of_epoch, _mean(hits))


def _require_finite(network: nn.Module, *, step: int) -> None:
    """Require that the last step, which no loss follows, left weights and buffers finite.

    Raises:
        DivergedError: it did not.
    """
    values = [value for value in network.state_dict().values() if value.is_floating_point()]
    # Looked at together: a GPU is waited for once.
    if not torch.stack([value.isfinite().all() for value in values]).all():
        raise DivergedError(step, WEIGHTS)


def _finite_mean(losses: list[Tensor], compute: Compute) -> float:
    # Looked at once per epoch: to ask after every step would make a GPU wait for the answer.
    values = torch.stack(losses)
    finite = values.isfinite()
    lost = finite.logical_not().nonzero()
    # Where losses are scaled, a step that overflowed was left out and its weights are whole. It is
    # lost when most steps are, or when no scale is small enough any more.
    if len(lost) > (len(losses) // 2 if compute.skips_overflow else 0):
        raise DivergedError(int(lost[0]) + 1)
    if compute.underflowed():
        raise DivergedError(len(losses))
    return float(values[finite].mean())


def _mean(values: list[Tensor]) -> float:
    return float(torch.stack(values).mean())
