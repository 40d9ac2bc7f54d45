"""Where and in which number format training computes."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgecl.learning.ranks import ALONE, Ranks

# bf16 must win clearly: a coin toss between two modes would make runs hard to repeat.
CLEAR_WIN = 1.15
MEASURED_STEPS = 3


@dataclass(frozen=True)
class Compute:
    """A device, a number format, and who computes along.

    Args:
        device: where the model lives.
        autocast: `off` or `bf16`.
        ranks: the processes that share every batch.
    """

    device: torch.device
    autocast: str
    ranks: Ranks = ALONE

    def casting(self) -> AbstractContextManager[object]:
        """The autocast region of a forward pass."""
        return torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.autocast == "bf16"
        )


def default_device() -> torch.device:
    """The GPU where torch sees one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def choose_autocast(
    model: nn.Module, loss: Callable[[nn.Module], Tensor], device: torch.device
) -> tuple[str, dict[str, float]]:
    """Time a few training steps with and without bf16 and name the faster.

    Which is faster depends on net, picture size and machine, so it is measured.

    Args:
        model: left untouched; steps run on a copy.
        loss: a forward pass of one batch through the given model to a scalar.

    Returns:
        `off` or `bf16`, and the median seconds per step of each.
    """
    seconds: dict[str, float] = {}
    for name in ("off", "bf16"):
        compute = Compute(device, name)
        trial = copy.deepcopy(model)
        taken: list[float] = []
        for _ in range(MEASURED_STEPS + 1):
            start = time.perf_counter()
            with compute.casting():
                value = loss(trial)
            value.backward()  # type: ignore[no-untyped-call]
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            taken.append(time.perf_counter() - start)
        seconds[name] = sorted(taken[1:])[MEASURED_STEPS // 2]  # the first step sets up
    return ("bf16" if seconds["off"] > CLEAR_WIN * seconds["bf16"] else "off"), seconds
