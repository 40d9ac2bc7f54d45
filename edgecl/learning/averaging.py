"""A running average of the weights: what is validated, kept and shipped.

On a few hundred pictures single steps throw the validation loss up and down; the average does
not. Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992; the
exponential form and its short start are the usual ones.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from edgecl.learning.model import Classifier

DECAY = 0.98


class WeightAverage:
    """Exponential moving average of a classifier's weights and batch norm statistics.

    Args:
        source: the classifier in training.
        state: what `state` gave, to go on with.
    """

    def __init__(self, source: Classifier, state: Mapping[str, Any] | None = None) -> None:
        self.source = source
        self.model = copy.deepcopy(source).eval()
        self.updates = 0
        if state is not None:
            self.model.load_state_dict(state["model"])
            self.updates = state["updates"]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the source's weights after a step."""
        self.updates += 1
        # Early on the average follows closely; else the starting weights would linger.
        decay = min(DECAY, self.updates / (self.updates + 9))
        for mine, theirs in zip(
            self.model.state_dict().values(), self.source.state_dict().values(), strict=True
        ):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)

    def copy(self) -> dict[str, Tensor]:
        """The average as it is now, on the CPU."""
        return {key: value.detach().cpu().clone() for key, value in self.model.state_dict().items()}

    def state(self) -> dict[str, Any]:
        """What must survive a kill."""
        return {"model": self.model.state_dict(), "updates": self.updates}
