"""How many pictures are enough to calibrate on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.damage import Damage, measure_damage

SMALLEST = 8
DRAWS = 5

Report = Callable[[int, int, str], None]
"""Called with (done, total, text) as draws are measured."""


@dataclass(frozen=True)
class Point:
    """Several calibrations on as many pictures each.

    Args:
        size: pictures of each draw.
        draws: what each of them did to the answers.
    """

    size: int
    draws: tuple[Damage, ...]

    def mean(self, quantity: str) -> float:
        """Of a field of `Damage` over the draws."""
        return float(np.mean(self._values(quantity)))

    def spread(self, quantity: str) -> float:
        """Standard deviation of a field of `Damage` over the draws; 0 of a single one."""
        values = self._values(quantity)
        return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0

    def _values(self, quantity: str) -> list[float]:
        return [float(getattr(damage, quantity)) for damage in self.draws]


@dataclass(frozen=True)
class Curve:
    """Accuracy, agreement and signal-to-noise against the size of the calibration set.

    Args:
        points: by size, ascending.
        enough: the smallest size after which nothing changes; None where only the largest is
            left, since nothing larger shows that it is enough.
        pictures: validation pictures that decided.
    """

    points: tuple[Point, ...]
    enough: int | None
    pictures: int


def usual_sizes(available: int) -> list[int]:
    """8, 16, 32 and so on, up to what there is, and all of it."""
    doubled = [SMALLEST << turn for turn in range(max(0, (available // SMALLEST).bit_length()))]
    return sorted({*doubled, available}) if available >= SMALLEST else []


def measure_curve(
    sizes: Sequence[int],
    choose: Callable[[int, np.random.Generator], NDArray[np.int64]],
    answers: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    *,
    reference: NDArray[np.float32],
    targets: NDArray[np.int64],
    draws: int = DRAWS,
    seed: int = 0,
    report: Report | None = None,
) -> Curve:
    """Calibrate on sets of each size, several times.

    Draws of a size that come out as the same set are measured once.

    Args:
        sizes: pictures per set.
        choose: draws a set: row numbers, int64, of that many pictures.
        answers: gives the probabilities, float32 N×C, of the network calibrated on those rows.
        reference: float32, N×C, probabilities of FP32 on the same validation pictures.
        targets: int64, N.
        draws: sets per size.
        seed: of the draws; each has its own stream.
        report: called before each draw, and at the end.
    """
    total, done = len(sizes) * draws, 0
    points = []
    for size in sorted(set(sizes)):
        seen: dict[bytes, Damage] = {}
        for draw in range(draws):
            if report is not None:
                report(done, total, f"{size} pictures")
            done += 1
            rows = choose(size, np.random.default_rng([seed, size, draw]))
            key = np.sort(rows).tobytes()
            if key not in seen:
                seen[key] = measure_damage(reference, answers(rows), targets)
        points.append(Point(size, tuple(seen.values())))
    if report is not None:
        report(total, total, "")
    return Curve(tuple(points), enough(points, len(targets)), len(targets))


def enough(points: Sequence[Point], pictures: int) -> int | None:
    """The smallest size after which neither accuracy nor agreement changes significantly.

    A change counts where it is larger than one validation picture and than two standard errors
    of the difference. A size whose draws scatter by more than one picture and twice as much as
    all larger ones is not enough either, however good their mean.

    Args:
        points: by size, ascending.
        pictures: validation pictures behind them.
    """
    for turn, point in enumerate(points[:-1]):
        larger = points[turn + 1 :]
        if all(
            _steady(point, larger, quantity, 1 / pictures) for quantity in ("accuracy", "agreement")
        ):
            return point.size
    return None


def _steady(point: Point, larger: Sequence[Point], quantity: str, picture: float) -> bool:
    # A hair more than one picture, for the rounding of shares.
    least = picture * (1 + 1e-6)
    scatter = max((other.spread(quantity) for other in larger), default=0.0)
    if point.spread(quantity) > max(least, 2 * scatter):
        return False
    return all(
        abs(other.mean(quantity) - point.mean(quantity))
        <= max(
            least,
            2 * math.hypot(_standard_error(point, quantity), _standard_error(other, quantity)),
        )
        for other in larger
    )


def _standard_error(point: Point, quantity: str) -> float:
    return point.spread(quantity) / math.sqrt(len(point.draws))
