"""Whether images that changed sides show a loss beyond a limit, or are too few to tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

LOSS_SHOWN = 0.05
"""A loss of accuracy is shown where a precision at the limit would do as badly less often."""

ESCAPES_SHOWN = 0.5
"""The same of escapes: of a defect that gets through, the doubt counts against the precision."""

MOST_TIMES = 4096
"""Sets of so many times the images are asked whether they would tell."""

_NEGLIGIBLE = 1e-12


@dataclass(frozen=True)
class Changes:
    """Images on which a precision and the trained model differ, out of those where they could.

    Args:
        lost: only the trained model answers them rightly.
        right: the trained model answers them rightly; `lost` are some of them.
        gained: only the precision answers them rightly.
        wrong: the trained model answers them wrongly; `gained` are some of them.
    """

    lost: int
    right: int
    gained: int = 0
    wrong: int = 0

    @property
    def images(self) -> int:
        """Number of images compared."""
        return self.right + self.wrong

    @property
    def loss(self) -> float:
        """Share of the images that is lost on balance; negative where more are gained."""
        return (self.lost - self.gained) / self.images if self.images else 0.0

    def times(self, factor: int) -> Changes:
        """The same shares of `factor` times the images."""
        return Changes(
            self.lost * factor, self.right * factor, self.gained * factor, self.wrong * factor
        )


def exceeds(changes: Changes, limit: float) -> bool:
    """Whether the images lost on balance are more than a limit allows, by count.

    Args:
        limit: a share of the images, 0 to 1.
    """
    # What is exactly at the limit must not be refused for a rounding error.
    return changes.loss > limit + 1e-11


def chance_at_limit(changes: Changes, limit: float) -> float:
    """Return how often a precision that loses exactly the limit would lose as many or more.

    Exact in the images that changed sides: lost ones are drawn from those that the trained model
    has right, gained ones from those that it has wrong, each independently. Gains come at the
    share seen. Without a gain this is the binomial test of the lost images.

    Args:
        limit: a share of the images, 0 to 1.

    Returns:
        0 to 1. Below 0.05, a loss beyond the limit is shown with 95 % confidence.
    """
    if not changes.right:
        return 1.0
    net = changes.lost - changes.gained
    gain = changes.gained / changes.wrong if changes.wrong else 0.0
    loss = min(1.0, (limit * changes.images + changes.gained) / changes.right)
    # Only gains that are not beyond all chance: the sum stays short for a million images.
    first = int(binom.ppf(_NEGLIGIBLE, changes.wrong, gain)) if gain else 0
    last = int(binom.isf(_NEGLIGIBLE, changes.wrong, gain)) if gain else 0
    gains = np.arange(max(0, first), last + 1)
    shares = binom.pmf(gains, changes.wrong, gain) if gain else np.ones(1)
    return float(min(1.0, (shares * binom.sf(net + gains - 1, changes.right, loss)).sum()))


def is_shown(changes: Changes, limit: float, shown: float) -> bool:
    """Whether a loss beyond the limit is shown; no image may be lost where the limit is 0.

    Args:
        limit: a share of the images, 0 to 1.
        shown: `LOSS_SHOWN` or `ESCAPES_SHOWN`.
    """
    return exceeds(changes, limit) and (limit <= 0 or chance_at_limit(changes, limit) < shown)


def images_to_tell(changes: Changes, limit: float, shown: float) -> int | None:
    """Return how many images would show a loss beyond the limit, if they went on like these.

    Args:
        limit: a share of the images, 0 to 1; `changes` exceeds it.
        shown: as for `is_shown`.

    Returns:
        A multiple of the images at hand; None where `MOST_TIMES` as many would not do.
    """
    few, many = 1, 2
    while not is_shown(changes.times(many), limit, shown):
        few, many = many, 2 * many
        if many > MOST_TIMES:
            return None
    while many - few > 1:
        middle = (few + many) // 2
        if is_shown(changes.times(middle), limit, shown):
            many = middle
        else:
            few = middle
    return many * changes.images
