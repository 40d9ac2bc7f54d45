"""Curve of INT8 accuracy against the number of calibration images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.observation import Observation, merged_observations
from calibration.search.damage import Damage, measure_damage
from runtime.progress import Say

# Images per block, and of the smallest sets.
BLOCK = 8
DRAWS = 5
LEAST_DB = 1.0
_HIGHEST_DB = 120.0


@dataclass(frozen=True)
class CurvePoint:
    """Several calibrations on as many images each.

    Args:
        size: images of each set.
        draws: what each of them did to the answers.
    """

    size: int
    draws: tuple[Damage, ...]

    def mean(self, quantity: str) -> float:
        """Mean of a field of `Damage` over the draws; an infinite ratio counts as 120 dB."""
        return float(np.mean(self._values(quantity)))

    def spread(self, quantity: str) -> float:
        """Standard deviation of a field of `Damage` over the draws; 0 of a single one."""
        values = self._values(quantity)
        return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0

    def _values(self, quantity: str) -> NDArray[np.float64]:
        values = [float(getattr(damage, quantity)) for damage in self.draws]
        return (
            np.clip(values, -_HIGHEST_DB, _HIGHEST_DB)
            if quantity == "snr_db"
            else (np.array(values))
        )


@dataclass(frozen=True)
class Curve:
    """Accuracy, agreement and signal-to-noise against the size of the calibration set.

    Args:
        points: by size, ascending.
        enough: the smallest size after which nothing changes; None where no larger one shows
            that it is enough.
        images: validation images that decided.
    """

    points: tuple[CurvePoint, ...]
    enough: int | None
    images: int


def measure_curve(
    blocks: Iterable[Observation],
    answers: Callable[[Observation], NDArray[np.float32]],
    *,
    reference: NDArray[np.float32],
    targets: NDArray[np.int64],
    draws: int = DRAWS,
    report: Say | None = None,
) -> Curve:
    """Calibrate on sets of one block, two, four and so on, and at last on all of them.

    Every image is run through the graph once: a set of twice the size is made of two that were
    observed before. Sets of one size have no image in common; of the larger sizes there are
    fewer than `draws`, down to one of all images.

    Args:
        blocks: observations of `BLOCK` images each, in the order of chance; the last may be
            of fewer. They may be made as they are asked for, and few are held at a time.
        answers: gives the probabilities, float32 N×C, of the network calibrated on that.
        reference: float32, N×C, probabilities of FP32 on the same validation images.
        targets: int64, N.
        draws: sets per size at most.
        report: called before each set is measured.
    """
    measured: dict[int, list[Damage]] = {}

    def measure(observation: Observation) -> None:
        known = measured.setdefault(observation.images, [])
        if len(known) < draws:
            if report is not None:
                report(f"set {len(known) + 1} of {observation.images} images")
            known.append(measure_damage(reference, answers(observation), targets))

    # Like the digits of a binary counter: two sets of equal size make one of twice the size.
    waiting: list[Observation] = []
    size = 0
    for block in blocks:
        size = size or block.images
        waiting.append(block)
        if block.images == size:
            measure(block)
            while len(waiting) > 1 and waiting[-1].images == waiting[-2].images:
                last = waiting.pop()
                waiting.append(merged_observations(waiting.pop(), last))
                measure(waiting[-1])
    if len(waiting) > 1:
        whole = waiting.pop()
        while waiting:
            whole = merged_observations(waiting.pop(), whole)
        measure(whole)
    points = tuple(CurvePoint(images, tuple(measured[images])) for images in sorted(measured))
    return Curve(points, enough(points, len(targets)), len(targets))


def enough(points: Sequence[CurvePoint], images: int) -> int | None:
    """The smallest size after which accuracy, agreement and logits change no more.

    A change counts where it is larger than one validation image (of the logits: than 1 dB) and
    than two standard errors of the difference. A size whose sets scatter by more than that, and
    twice as much as all larger ones, is not enough either, however good their mean. The logits
    are judged too because they move long before an image changes sides.

    Args:
        points: by size, ascending.
        images: validation images behind them.
    """
    # A hair more than one image, for the rounding of shares.
    image = (1 + 1e-6) / images
    least = {"accuracy": image, "agreement": image, "snr_db": LEAST_DB}
    for turn, point in enumerate(points[:-1]):
        larger = points[turn + 1 :]
        if all(_steady(point, larger, quantity, change) for quantity, change in least.items()):
            return point.size
    return None


def _steady(point: CurvePoint, larger: Sequence[CurvePoint], quantity: str, least: float) -> bool:
    scatter = max(other.spread(quantity) for other in larger)
    if point.spread(quantity) > max(least, 2 * scatter):
        return False
    return all(
        abs(other.mean(quantity) - point.mean(quantity))
        <= max(least, 2 * _standard_error(point, other, quantity))
        for other in larger
    )


def _standard_error(smaller: CurvePoint, larger: CurvePoint, quantity: str) -> float:
    """Standard error of a difference of means; one large set is taken to scatter like others."""
    spread = smaller.spread(quantity)
    other = larger.spread(quantity) if len(larger.draws) > 1 else spread
    return math.hypot(spread / math.sqrt(len(smaller.draws)), other / math.sqrt(len(larger.draws)))
