"""Sensitivity of layers to eight bits, and the fewest that must stay in float."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.search.damage import Damage, measure_damage
from runtime.progress import NotedProgress

EVALUATIONS = 48


@dataclass(frozen=True)
class LayerDamage:
    """Damage done by quantising `layer` alone."""

    layer: str
    damage: Damage


@dataclass(frozen=True)
class LayerTrial:
    """One set of layers in float that was tried.

    Args:
        kept: the layers in float.
        holds: whether the predicate held.
    """

    kept: tuple[str, ...]
    holds: bool


@dataclass(frozen=True)
class Kept:
    """The layers that stay in float.

    Args:
        layers: in the order of their damage; all of them where `holds` is False.
        holds: whether the predicate holds with them; False where nothing helped, even all
            layers in float.
        trials: what was tried, in order.
    """

    layers: tuple[str, ...]
    holds: bool
    trials: tuple[LayerTrial, ...]


def measure_sensitivity(
    layers: Sequence[str],
    answers: Callable[[Sequence[str]], NDArray[np.float32]],
    *,
    reference: NDArray[np.float32],
    targets: NDArray[np.int64],
    report: NotedProgress | None = None,
) -> list[LayerDamage]:
    """Quantise one layer at a time.

    Args:
        layers: their names.
        answers: gives the probabilities, float32 N×C, of the network with those layers quantised
            and all others in float.
        reference: float32, N×C, probabilities of FP32.
        targets: int64, N.
        report: called before each layer, and at the end.

    Returns:
        The most damaged first: by labels that changed, then by the logits' signal-to-noise, then
        in the order given.
    """
    found = []
    for turn, layer in enumerate(layers):
        if report is not None:
            report(turn, len(layers), layer)
        found.append(LayerDamage(layer, measure_damage(reference, answers([layer]), targets)))
    if report is not None:
        report(len(layers), len(layers), "")
    return sorted(found, key=lambda entry: (entry.damage.agreement, entry.damage.snr_db))


def fewest_in_float(
    order: Sequence[str],
    satisfies: Callable[[Sequence[str]], bool],
    *,
    evaluations: int = EVALUATIONS,
) -> Kept:
    """Leave as few layers in float as `satisfies` allows.

    Bisection finds how many of the most damaged must stay; then each of these is given back,
    the least damaged first, where that still satisfies. One layer fewer never does, as far as
    `evaluations` reached.

    Args:
        order: all layers, the most damaged first.
        satisfies: whether the network does with these layers in float and all others quantised.
        evaluations: calls of `satisfies` at most. Bisection takes two and one for every
            doubling of the layers, and is never cut short.
    """
    trials: list[LayerTrial] = []

    def holds(kept: Sequence[str]) -> bool:
        known = next((trial for trial in trials if trial.kept == tuple(kept)), None)
        if known is None:
            known = LayerTrial(tuple(kept), satisfies(kept))
            trials.append(known)
        return known.holds

    if holds(()):
        return Kept((), True, tuple(trials))
    if not holds(order):
        return Kept(tuple(order), False, tuple(trials))
    # With `failing` layers it fails, with `enough` it holds: both were tried.
    failing, enough = 0, len(order)
    while enough - failing > 1:
        middle = (failing + enough) // 2
        if holds(order[:middle]):
            enough = middle
        else:
            failing = middle
    kept = list(order[:enough])
    for layer in reversed(order[:enough]):
        if len(trials) >= evaluations:
            break
        fewer = [other for other in kept if other != layer]
        if holds(fewer):
            kept = fewer
    return Kept(tuple(kept), True, tuple(trials))
