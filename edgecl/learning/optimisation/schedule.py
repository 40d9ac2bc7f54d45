"""The learning rate over a stage: it rises for a few steps, then falls by a cosine."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

SCALE = "scale"
"""Key of a parameter group's factor on the learning rate."""

# Steps in which the rate of pretraining rises, and the largest share of all its steps.
WARM_UP, WARM_SHARE = 200, 0.1


def cosine_rate(start: float, epoch: int, epochs: int) -> float:
    """Learning rate of `epoch` (from 0) of `epochs`: a cosine from `start` towards 0."""
    return start * 0.5 * (1 + math.cos(math.pi * epoch / max(epochs, 1)))


def warmed_up(rate: float, step: int, steps: int) -> float:
    """The learning rate of step `step` (from 0), which rises evenly over the first `steps`.

    Goyal et al., "Accurate, Large Minibatch SGD", 2017. Adam's first steps are as long as its
    rate allows whatever the gradient; encoders without normalisation do not always survive them.
    """
    return rate * min(1.0, (step + 1) / max(steps, 1))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of the next steps; groups with a scale of their own keep it."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(SCALE, 1.0)


def warm_up(
    optimizer: torch.optim.Optimizer, rate: float, *, step: int, steps: int
) -> Callable[[], None]:
    """Set the rate of an epoch's first step; the returned function sets each next one's.

    Args:
        rate: of the epoch.
        step: of the stage, from 0, with which the epoch begins.
        steps: of the whole stage.
    """
    rising = min(WARM_UP, round(WARM_SHARE * steps))

    def warm() -> None:
        nonlocal step
        set_rate(optimizer, warmed_up(rate, step, rising))
        step += 1

    warm()
    return warm
