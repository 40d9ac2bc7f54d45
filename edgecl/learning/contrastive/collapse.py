"""Pretraining that learnt nothing: its loss is still that of chance."""

from __future__ import annotations

import math

from edgecl.learning.config import TrainConfig

# Of the loss of chance. Encoders without normalisation can die in the first steps and stay within
# a thousandth of it to the end; or they begin there, and need some hundred steps to come away.
AT_CHANCE = 0.99


def chance_loss(config: TrainConfig) -> float:
    """The contrastive loss of an encoder to which all images look alike.

    Each view has its positive among 2N − 1 others (NT-Xent over all views), or among the N of the
    other view (from view to view, and NNCLR).
    """
    others = config.pretraining_batch
    if config.method == "simclr" and config.negatives == "all":
        others = 2 * config.pretraining_batch - 1
    return math.log(others)


def learnt_nothing(config: TrainConfig, loss: float) -> bool:
    """Whether the loss of the last epoch of pretraining was no better than chance."""
    return loss >= AT_CHANCE * chance_loss(config)


def collapse_note(config: TrainConfig, loss: float, *, epochs: int) -> tuple[str, ...]:
    """Return a warning for readers of the results; empty where pretraining went well.

    Args:
        loss: of the last epoch of pretraining.
        epochs: how many there were.
    """
    if not learnt_nothing(config, loss):
        return ()
    return (
        f"pretraining learnt nothing: its loss ended at {loss:.2f}, and "
        f"chance gives {chance_loss(config):.2f}; use a lower --pretrain-lr, another "
        f"--seed, or more than {epochs} --pretrain-epochs",
    )
