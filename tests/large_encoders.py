"""Encoders that take minutes, and are tested with EDGECL_EVERY_ENCODER=1 only."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

import pytest
from _pytest.mark.structures import ParameterSet

ON_DEMAND = pytest.mark.skipif(
    not os.environ.get("EDGECL_EVERY_ENCODER"),
    reason="a large network, whose layers others have too: set EDGECL_EVERY_ENCODER=1",
)
"""Mark of a test with a large encoder."""


def encoders(
    names: Iterable[str], large: Collection[str], *, slow: Collection[str] = ()
) -> list[ParameterSet]:
    """Return the names as parameters of a test.

    Args:
        large: those that are skipped, unless the environment asks for every encoder.
        slow: those that `make test` leaves to `make test-all`.
    """
    return [
        pytest.param(
            name,
            marks=[
                *([ON_DEMAND] if name in large else []),
                *([pytest.mark.slow] if name in slow else []),
            ],
        )
        for name in names
    ]
