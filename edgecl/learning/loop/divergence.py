"""Errors for values that were not finite, with what to try next."""

from __future__ import annotations

from pathlib import Path

from edgecl.learning.config import TrainConfig
from edgecl.learning.loop.epochs import DivergedError
from edgecl.learning.loop.state import PRETRAIN, Journal
from edgecl.learning.run import run_directory
from runtime.errors import InputError


def diverged(
    config: TrainConfig, run: Path, journal: Journal, error: DivergedError, steps: int | None
) -> InputError:
    """Return the error for values that were not finite.

    Args:
        journal: of the last whole epoch.
        error: what was found, in the epoch after that one.
        steps: what that epoch has; 0 where it has not begun, None after all of them.
    """
    epoch = journal.best_epoch or journal.epoch if steps is None else journal.epoch + bool(steps)
    pretraining = journal.stage == PRETRAIN
    option, rate = (
        ("--pretrain-lr", config.pretrain_lr) if pretraining or not epoch else ("--lr", config.lr)
    )
    name = "pretraining" if pretraining else "fine-tuning"
    kept = run / run_directory.CHECKPOINT
    state = f"{kept} holds the last good epoch" if kept.exists() else "no epoch was completed"
    hint = f"start a new run with {option} below {rate:g}"
    if config.autocast != "off":
        hint += ", or with --autocast off"
    if not epoch:
        when = "before its first step"
        given = config.pretrained or config.weights
        hint = f"start from other weights than those of {given}" if given else hint
    else:
        step = error.step or steps
        when = f"in epoch {epoch}, step {step}" if step else f"after epoch {epoch}"
    return InputError(f"{error.what} of {name} became non-finite {when} ({state})", hint=hint)
