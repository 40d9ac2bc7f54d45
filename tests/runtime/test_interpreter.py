"""What is tuned while frames are judged, and how it is left."""

from __future__ import annotations

import gc
import sys

import pytest

from runtime.interpreter import SWITCH_INTERVAL_S, tuned_for_latency


@pytest.mark.usefixtures("nothing_frozen")
def test_what_exists_is_frozen_and_at_the_end_all_is_as_it_was():
    before = sys.getswitchinterval(), gc.get_freeze_count()
    with tuned_for_latency():
        assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)
        assert gc.get_freeze_count() > before[1]
    assert (sys.getswitchinterval(), gc.get_freeze_count()) == before


@pytest.mark.usefixtures("nothing_frozen")
def test_what_the_program_froze_before_stays_frozen():
    gc.freeze()
    before = gc.get_freeze_count()
    with tuned_for_latency(), tuned_for_latency():
        assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)
    # Some of them have gone meanwhile, as any object does that nobody refers to.
    assert gc.get_freeze_count() > 0.9 * before
