"""The benchmark's own cost: what belongs to it, and what to the frame before or to a sleep."""

from __future__ import annotations

import numpy as np

from benchmarks.harness import waited_for
from runtime.benchmark.measuring.turn import Turn


def test_a_frame_that_waited_is_told_from_one_after_a_sleep():
    starts = np.array([0, 10, 100], np.int64)
    turn = Turn(
        {"total": np.array([50, 60, 20], np.int64)},
        starts,
        wall_ns=120,
        late=np.array([7, 3, 30], np.int64),
    )
    waits, sleeps = waited_for(turn)
    # The second came while the first was judged, the third after the second's end at 70.
    assert waits.tolist() == [3]
    assert sleeps.tolist() == [30]
