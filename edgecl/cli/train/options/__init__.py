"""The options of `edgecl train` that are a run's choices, by what they are about."""

from __future__ import annotations

from edgecl.learning.config import TrainConfig

DEFAULTS = TrainConfig()
"""The choices where nothing is given."""
