"""The scenario of a latency report: how its times were taken."""

from __future__ import annotations

from typing import Literal

from runtime.files.document import Part

ScenarioKind = Literal["single-stream", "multi-stream", "server", "offline", "cadence"]
"""`single-stream`: one frame after another. `multi-stream`: several frames per query. `server`:
frames arrive at random. `offline`: batch after batch. `cadence`: frames arrive at the line's rate,
through the pipeline of `edgecl run`."""

Driver = Literal["edgecl", "loadgen"]
"""Issuer of the queries: edgecl, or MLCommons' LoadGen."""


class Settling(Part, frozen=True, kw_only=True):
    """Time, and least number of frames, that a side judges uncounted before its turn."""

    seconds: float
    frames: int


class FrameFacts(Part, frozen=True, kw_only=True):
    """The frames that were judged: their size in pixels, and how many distinct ones."""

    height: int
    width: int
    channels: int
    distinct: int
    content: str


class StabilityRule(Part, frozen=True, kw_only=True):
    """Rule by which a side is warm: each two of its latest windows of queries agree.

    Two windows agree where their medians differ by no more than the tolerance, or the rank-sum test
    cannot tell them apart.

    Args:
        window: queries per window.
        windows: how many in a row have to agree.
        tolerance: of two medians, as a share of the smaller one.
        risk: of the test, to tell windows apart that are alike.
        limit_seconds, limit_windows: after which the side counts as unstable, and is measured all
            the same.
    """

    window: int
    windows: int
    tolerance: float
    risk: float
    limit_seconds: float
    limit_windows: int


class ScenarioFacts(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Scenario in which the times were taken.

    Args:
        frames: counted, per side.
        rounds: each gives every side a turn.
        block: frames per turn.
        warmup: least number of uncounted queries per side.
        seed: draws the frames, the order of the turns and random arrivals.
        threads: inference threads.
        frames_per_query: frames that are answered, and timed, together: streams or batch.
        rate_hz: frames per second that arrive; None where each follows the one before.
        bound_ms: latency that is asked for; None for none.
        soak_minutes: how long the measurement had to go on; None where frames were counted.
        stability: None where the warm-up was by count alone.
    """

    kind: ScenarioKind
    frames: int
    rounds: int
    block: int
    settle: Settling
    warmup: int
    frame: FrameFacts
    seed: int
    threads: int
    frames_per_query: int = 1
    rate_hz: float | None = None
    bound_ms: float | None = None
    soak_minutes: float | None = None
    driver: Driver = "edgecl"
    stability: StabilityRule | None = None

    @property
    def queries(self) -> int:
        """Times per side and step."""
        return self.frames // self.frames_per_query
