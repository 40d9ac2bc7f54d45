"""Advice for the next run: given where the figures call for it, and only there."""

from __future__ import annotations

import pytest

from edgecl.learning.config import TrainConfig
from edgecl.learning.evaluation.advice import advice
from edgecl.learning.findings import ShiftFacts, ShiftReport


def under(accuracy: float) -> ShiftReport:
    blur = ShiftFacts(
        name="blur σ 1.5 px", kind="blur", amount=1.5, accuracy=accuracy, escapes=None
    )
    return ShiftReport(
        images=300,
        of=300,
        shifted="images at the tiles' scale",
        accuracy=0.95,
        escapes=None,
        shifts=(blur,),
    )


@pytest.mark.parametrize(
    ("geometry", "tiles", "baseline", "told"),
    [
        ("tiles", 4.0, 0.80, True),
        ("tiles", 4.0, 0.71, False),
        ("tiles", 1.0, 0.80, False),
        ("tiles", 4.0, None, False),
        ("stretch", 1.0, 0.80, False),
    ],
)
def test_another_geometry_is_advised_where_whole_images_tell_more(geometry, tiles, baseline, told):
    config = TrainConfig(geometry=geometry, robust=True)
    found = advice(config, 0.70, baseline, None, tiles_per_image=tiles)
    assert ["--geometry stretch" in note for note in found] == [True] * told


@pytest.mark.parametrize(
    ("geometry", "robust", "accuracy", "told"),
    [
        ("tiles", False, 0.50, True),
        ("tiles", False, 0.90, False),
        ("tiles", True, 0.50, False),
        ("stretch", False, 0.50, True),
        ("stretch", True, 0.50, False),
    ],
)
def test_robust_training_is_advised_where_a_drift_costs_much(geometry, robust, accuracy, told):
    config = TrainConfig(geometry=geometry, robust=robust)
    found = advice(config, 0.95, None, under(accuracy), tiles_per_image=4.0)
    assert ["--robust" in note for note in found] == [True] * told
