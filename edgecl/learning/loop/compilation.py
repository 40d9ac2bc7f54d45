"""torch.compile for the networks in training, with a way back where it does not work."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor, nn

from edgecl.learning.compute.placement import Compute
from edgecl.learning.config import FROZEN_ENCODERS, TrainConfig
from edgecl.learning.loop.state import Networks

Forward = Callable[[nn.Module, Tensor], Tensor]


def compile_networks(networks: Networks, config: TrainConfig, compute: Compute) -> tuple[str, ...]:
    """Compile, in place, what this run will train; weights and their names stay as they are.

    torch compiles at the first call, so each network is tried with one batch, forward and back.
    Batches of a run all have one size, which is compiled in.

    Returns:
        A note for each network that trains uncompiled, and why.
    """
    if not config.compile or config.encoder in FROZEN_ENCODERS:
        return ()
    if compute.ranks.size > 1:
        return ("--compile: ignored with several ranks",)
    shape = (config.batch_size, 1, *config.image_size)
    images = torch.zeros(shape, dtype=torch.uint8, device=compute.device)
    trials: list[tuple[str, nn.Module, Tensor, Forward]] = [
        ("classifier", networks.classifier, images, lambda module, batch: module(batch)[0])
    ]
    if config.method != "none" and not config.pretrained:
        # Both views of a batch go through in one pass.
        both = torch.zeros((2 * config.pretraining_batch, *shape[1:]), dtype=torch.uint8)
        both = both.to(compute.device)
        trials.insert(
            0, ("projector", networks.projector, both, lambda module, batch: module(batch))
        )
    notes = []
    for name, module, batch, forward in trials:
        reason = _try(module, batch, forward, compute)
        if reason is not None:
            notes.append(f"--compile: the {name} was trained uncompiled ({reason})")
    # What cannot be compiled later on runs uncompiled, without an error.
    torch._dynamo.config.suppress_errors = True
    return tuple(notes)


def run_eagerly(module: nn.Module) -> None:
    """Undo `compile_networks`: for other modes and batch sizes than those compiled for."""
    module._compiled_call_impl = None


def _try(module: nn.Module, batch: Tensor, forward: Forward, compute: Compute) -> str | None:
    """Compile and run forward and back once, and put the module back as it was.

    Returns:
        Why it failed, in a line; None where it worked.
    """
    before = {key: value.clone() for key, value in module.state_dict().items()}
    was_training = module.training
    level = logging.getLogger("torch").level
    logging.getLogger("torch").setLevel(logging.CRITICAL)  # the note says what went wrong
    reason = None
    try:
        with torch.random.fork_rng():
            module.train().compile(dynamic=False)
            with compute.casting():
                value = forward(module, batch)
            value.float().mean().backward()  # type: ignore[no-untyped-call]
    except Exception as error:  # compilers raise whatever they please
        run_eagerly(module)
        torch._dynamo.reset()
        reason = _line(error)
    finally:
        logging.getLogger("torch").setLevel(level)
        module.zero_grad(set_to_none=True)
        module.load_state_dict(before)
        module.train(was_training)
    return reason


def _line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = next(iter(lines), type(error).__name__)
    if text.endswith(":") and len(lines) > 1:  # "backend='inductor' raised:", and what in the next
        text = f"{text} {lines[1]}"
    return text if len(text) <= 160 else text[:157] + "..."
