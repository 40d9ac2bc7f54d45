"""Device and number format of training."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from edgecl.learning.compute.ranks import ALONE, Ranks

# Half precision must win: a coin toss between two modes would make runs hard to repeat.
CLEAR_WIN = 1.05
# Quick steps are measured more often: a busy machine disturbs them more.
FEWEST_STEPS, MOST_STEPS, ENOUGH_SECONDS = 3, 20, 2.0
# The scaler begins at 65,536 and halves at every overflow; below this nothing would be left.
SMALLEST_SCALE = 2.0**-14
HALF_PRECISION = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Compute:
    """A device, a number format, and who computes along.

    Args:
        device: where the model lives.
        autocast: `off`, `bf16` or `fp16`.
        ranks: the processes that share every batch.
        scaler: with `fp16`, scales the loss so that small gradients survive, and leaves out steps
            that overflow; passes all through otherwise. Its state belongs into a checkpoint.
    """

    device: torch.device
    autocast: str
    ranks: Ranks = ALONE
    scaler: torch.amp.GradScaler = field(init=False)

    def __post_init__(self) -> None:
        scaler = torch.amp.GradScaler(self.device.type, enabled=self.autocast == "fp16")
        object.__setattr__(self, "scaler", scaler)

    def casting(self) -> AbstractContextManager[object]:
        """The autocast region of a forward pass."""
        dtype = HALF_PRECISION.get(self.autocast)
        return torch.autocast(
            self.device.type, dtype=dtype or torch.bfloat16, enabled=dtype is not None
        )

    def backward(self, loss: Tensor) -> None:
        """Gradients of the loss, scaled where the format needs it."""
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """A step with the gradients, their scale taken off; none where they overflowed."""
        self.scaler.step(optimizer)
        self.scaler.update()

    @property
    def skips_overflow(self) -> bool:
        """Whether steps that overflow are left out."""
        return self.scaler.is_enabled()

    def underflowed(self) -> bool:
        """Whether the scale fell so far that training cannot go on."""
        return self.skips_overflow and self.scaler.get_scale() < SMALLEST_SCALE


def default_device() -> torch.device:
    """This rank's GPU where torch sees one, else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    # By its number: which one is the current one, each thread has for itself.
    return torch.device("cuda", torch.cuda.current_device())


def formats(device: torch.device) -> tuple[str, ...]:
    """The number formats that make sense on `device`.

    fp16 on a CPU is no choice: steps of a second in float32 did not end within minutes.
    """
    if device.type != "cuda":
        return ("off", "bf16")
    # bf16 may be there but emulated, and slow: on a T4, for one.
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return ("off", "bf16", "fp16")
    return ("off", "fp16")


def choose_autocast(
    model: nn.Module, loss: Callable[[nn.Module], Tensor], device: torch.device
) -> tuple[str, dict[str, float]]:
    """Time a few training steps in every sensible number format and name the fastest.

    Which is faster depends on net, image size and machine, so it is measured.

    Args:
        model: left untouched; steps run on a copy.
        loss: a forward pass of one batch through the given model to a scalar.

    Returns:
        What `quickest` names; and the seconds of the quickest step of each.
    """
    taken: dict[str, list[float]] = {name: [] for name in formats(device)}
    trials = {name: (Compute(device, name), copy.deepcopy(model)) for name in taken}
    # In turns and by the quickest: what else the machine does must not decide.
    begun = time.perf_counter()
    for step in range(MOST_STEPS + 1):
        if step > FEWEST_STEPS and time.perf_counter() - begun > ENOUGH_SECONDS:
            break
        for name, (compute, trial) in trials.items():
            start = time.perf_counter()
            with compute.casting():
                value = loss(trial)
            value.backward()  # type: ignore[no-untyped-call]
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            taken[name].append(time.perf_counter() - start)
    seconds = {name: min(times[1:]) for name, times in taken.items()}  # the first step sets up
    return quickest(seconds), seconds


def quickest(seconds: Mapping[str, float]) -> str:
    """The first of these formats that no other one clearly beats.

    fp16 comes last: its scaler asks the GPU after every step whether something overflowed.

    Args:
        seconds: per step, the formats in the order in which they are preferred.
    """
    best = min(seconds.values())
    return next(name for name, taken in seconds.items() if taken <= CLEAR_WIN * best)
