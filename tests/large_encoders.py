"""Encoders that take minutes, and are tested with EDGECL_EVERY_ENCODER=1 only."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

import pytest
from _pytest.mark.structures import ParameterSet


def encoders(
    names: Iterable[str], large: Collection[str], *, slow: Collection[str] = ()
) -> list[ParameterSet]:
    """Return the names as parameters of a test.

    Args:
        large: those that are skipped, unless the environment asks for every encoder.
        slow: those that `make test` leaves to `make test-all`.
    """
    every = bool(os.environ.get("EDGECL_EVERY_ENCODER"))
    why = "a large network, whose layers others have too: set EDGECL_EVERY_ENCODER=1"
    return [
        pytest.param(
            name,
            marks=[
                pytest.mark.skipif(name in large and not every, reason=why),
                *([pytest.mark.slow] if name in slow else []),
            ],
        )
        for name in names
    ]
