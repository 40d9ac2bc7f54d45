"""Covariance within classes, shrunk as Ledoit and Wolf do (2004), and its equations solved.

A descriptor has more numbers than a set has images, mostly. The covariance is then a diagonal and a
product of few rows, so that its equations are solved by a matrix of images by images.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg


@dataclass(frozen=True)
class ShrunkCovariance:
    """Covariance D×D of N rows: diag(`variances`) + `rows`ᵀ·`rows`.

    Args:
        variances: float64, D, what shrinking adds.
        rows: float64, N×D, centred and weighed.
    """

    variances: NDArray[np.float64]
    rows: NDArray[np.float64]

    @classmethod
    def within(
        cls, of_class: Sequence[NDArray[np.float64]], priors: Sequence[float] | NDArray[np.float64]
    ) -> ShrunkCovariance:
        """Return the mean of the classes' covariances, each shrunk in units of its deviations.

        Args:
            of_class: float64 M×D of each class.
            priors: weights of the classes, which add up to 1.
        """
        variances = np.zeros(of_class[0].shape[1])
        rows = []
        for prior, values in zip(priors, of_class, strict=True):
            deviations = values.std(axis=0)
            deviations[deviations == 0] = 1
            scaled = values / deviations
            scaled -= scaled.mean(axis=0)
            shrinkage, variance = _ledoit_wolf(scaled)
            variances += prior * shrinkage * variance * deviations**2
            rows.append(scaled * (deviations * np.sqrt(prior * (1 - shrinkage) / len(values))))
        return cls(variances, np.concatenate(rows))

    def solve(self, right: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the X, D×K, whose product with the covariance is `right`, D×K.

        Where the covariance is singular, because nearly all classes have one image, it is the
        shortest that comes nearest.
        """
        count, size = self.rows.shape
        if count < size and self.variances.min() > 0:
            roots = np.sqrt(self.variances)[:, None]
            narrow, scaled = self.rows / roots.T, right / roots
            inner = narrow @ narrow.T
            inner.flat[:: count + 1] += 1
            try:
                return (scaled - narrow.T @ _solved(inner, narrow @ scaled)) / roots
            except linalg.LinAlgError:  # hardly shrunk: the whole matrix may do
                pass
        covariance = self.rows.T @ self.rows
        covariance.flat[:: size + 1] += self.variances
        try:
            return _solved(covariance, right)
        except linalg.LinAlgError:
            nearest: NDArray[np.float64] = linalg.lstsq(covariance, right)[0]
            return nearest


def _solved(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve the equations of a positive definite matrix.

    Raises:
        LinAlgError: it is not, or so nearly that the solution says nothing.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", linalg.LinAlgWarning)
        try:
            found: NDArray[np.float64] = linalg.solve(matrix, right, assume_a="pos")
        except linalg.LinAlgWarning as warning:
            raise linalg.LinAlgError(str(warning)) from warning
    return found


def _ledoit_wolf(centred: NDArray[np.float64]) -> tuple[float, float]:
    """Return the share of N×D rows' covariance that gives way, and the variance in its place.

    Of the D×D products that the formula sums, the sums are those of N×N ones.
    """
    count, size = centred.shape
    squares = centred**2
    variance = float(squares.sum()) / (count * size)
    if size == 1:
        return 0.0, variance
    products = centred @ centred.T if count < size else centred.T @ centred
    square = float((products**2).sum()) / count**2
    fourth = float((squares.sum(axis=1) ** 2).sum()) / count
    distance = (square - size * variance**2) / size
    error = min((fourth - square) / (size * count), distance)
    return (0.0 if error == 0 else error / distance), variance
