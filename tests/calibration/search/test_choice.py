"""The algorithm that loses the fewest images wins, then the cleanest logits."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.ranges import METHODS
from calibration.search.choice import choose_method

TARGETS = np.arange(40) % 2
REFERENCE = np.where(TARGETS[:, None] == np.arange(2), 0.9, 0.1).astype(np.float32)


def spoiled(lost: int, noise: float) -> np.ndarray:
    answers = REFERENCE.copy()
    answers[:lost] = answers[:lost, ::-1]
    answers[:, 0] -= noise
    answers[:, 1] += noise
    return answers


@pytest.mark.parametrize(
    ("spoils", "order"),
    [
        (
            {"minmax": (3, 0), "mse": (0, 0.05), "percentile": (0, 0.01), "entropy": (1, 0)},
            ["percentile", "mse", "entropy", "minmax"],
        ),
        (dict.fromkeys(METHODS, (1, 0.01)), ["minmax", "mse", "percentile", "entropy"]),
    ],
)
def test_the_table_is_ordered_by_loss(spoils, order):
    told: list[tuple[int, int, str]] = []
    choice = choose_method(
        lambda method: spoiled(*spoils[method]),
        reference=REFERENCE,
        targets=TARGETS,
        report=lambda *state: told.append(state),
    )
    assert [entry.method for entry in choice.table] == order
    assert choice.best == order[0]
    assert [entry.damage.lost for entry in choice.table] == [spoils[name][0] for name in order]
    assert told[-1] == (4, 4, "")
