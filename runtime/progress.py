"""The shapes of functions that are told how work goes on, one name for each."""

from __future__ import annotations

from collections.abc import Callable

StageProgress = Callable[[str, int, int, str], None]
"""Called with (stage, done, total, text) as the stages of a long piece of work go on."""

CountProgress = Callable[[int, int], None]
"""Called with (done, total)."""

NotedProgress = Callable[[int, int, str], None]
"""Called with (done, total, what is being done)."""

Say = Callable[[str], None]
"""Called with one line for people."""
