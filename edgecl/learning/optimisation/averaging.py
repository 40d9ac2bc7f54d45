"""Running average of the weights, which is validated, kept and shipped.

On a few hundred images single steps throw the validation loss up and down; the average does
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
        mine, theirs = (list(m.state_dict().values()) for m in (self.model, source))
        pairs = list(zip(mine, theirs, strict=True))
        # Apart, for a GPU takes all averages in one go; these tensors stay what they are.
        self._averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        self._copied = [pair for pair in pairs if not pair[0].is_floating_point()]
        if state is not None:
            self.model.load_state_dict(state["model"])
            self.updates = state["updates"]

    @torch.no_grad()
    def update(self) -> None:
        """Update the average with the source's weights after a step."""
        self.updates += 1
        # Early on the average follows closely; else the starting weights would linger.
        decay = min(DECAY, self.updates / (self.updates + 9))
        mine, theirs = zip(*self._averaged, strict=True)
        torch._foreach_lerp_(mine, theirs, 1 - decay)
        for own, other in self._copied:
            own.copy_(other)

    def copy(self) -> dict[str, Tensor]:
        """The average as it is now, on the CPU."""
        return {key: value.detach().cpu().clone() for key, value in self.model.state_dict().items()}

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"model": self.model.state_dict(), "updates": self.updates}
