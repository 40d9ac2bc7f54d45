"""Parts of every stage: its epochs' generator, its progress, and its errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from edgecl.learning.compute.ranks import Ranks
from edgecl.learning.documents import Stage
from edgecl.learning.loop.divergence import diverged
from edgecl.learning.loop.epochs import DivergedError
from edgecl.learning.loop.monitoring import ticker
from edgecl.learning.loop.setup import TrainingSetup
from edgecl.learning.loop.state import DISTILL, FINETUNE, PRETRAIN, Journal

_STAGE_NUMBER = {PRETRAIN: 1, FINETUNE: 2, DISTILL: 3}


def epoch_rng(seed: int, stage: Stage, epoch: int, ranks: Ranks) -> np.random.Generator:
    """Return the epoch's generator, seeded from its number: a resumed run draws the same."""
    numbers = [seed, _STAGE_NUMBER[stage], epoch]
    ranks.reseed(numbers)
    return np.random.default_rng(numbers)


def stage_ticker(
    setup: TrainingSetup,
    journal: Journal,
    name: str,
    steps: int,
    total: int,
    also: Callable[[], None],
) -> Callable[[], None]:
    done = journal.epoch * steps
    return ticker(setup.report, name, journal.history, done=done, total=total, also=also)


@contextmanager
def explained(setup: TrainingSetup, journal: Journal, steps: int) -> Iterator[None]:
    """Raise an InputError for values that are not finite.

    Args:
        steps: what the epoch has; 0 where none has begun.
    """
    try:
        yield
    except DivergedError as error:
        raise diverged(setup.config, setup.run, journal, error, steps) from error
