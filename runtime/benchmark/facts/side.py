"""Facts of a side in a latency report, beside its percentiles."""

from __future__ import annotations

from runtime.files.document import Part
from runtime.statistics import Interval


class WarmUp(Part, frozen=True, kw_only=True):
    """The uncounted queries at a side's start.

    Args:
        queries: how many.
        seconds: how long they took.
        stable: whether the windows' medians agreed at last; None where that was not looked at.
        medians_ms: of the windows, in order.
    """

    queries: int
    seconds: float
    stable: bool | None
    medians_ms: tuple[float, ...] = ()


class Throughput(Part, frozen=True, kw_only=True):
    """Frames per second while the side had its turns.

    Args:
        frames_per_s: median over the turns.
        interval: 95 %, over the turns; None with too few.
    """

    frames_per_s: float
    interval: Interval | None


class Jitter(Part, frozen=True, kw_only=True):
    """Unevenness of the answers.

    Args:
        p99_over_p50_ms: p99 less p50; None where p99 is not known.
        ends_std_ms: standard deviation of the time between two answers; None without a rate.
    """

    p99_over_p50_ms: float | None
    ends_std_ms: float | None = None


class Outlier(Part, frozen=True, kw_only=True):
    """One slow query: its place in the raw times, from 0, and its time."""

    query: int
    ms: float


class Outliers(Part, frozen=True, kw_only=True):
    """Queries far above the others. None is removed from any figure.

    Args:
        count: queries above the limit.
        limit_ms: the third quartile and three times the distance between the quartiles.
        slowest: at most ten of them, the slowest first.
    """

    count: int
    limit_ms: float
    slowest: tuple[Outlier, ...]


class Schedule(Part, frozen=True, kw_only=True):
    """Arrivals against their schedule.

    Args:
        arrivals: how many.
        behind: arrivals that the benchmark brought later than the limit.
        limit_ms: lateness from which one counts as behind.
        p50_ms, p99_ms, max_ms: lateness of the arrivals; p99 None with too few.
        dropped: frames that were lost before they were judged.
        busy: share of the time that the side judged; from 1 on it cannot keep up.
    """

    arrivals: int
    behind: int
    limit_ms: float
    p50_ms: float
    p99_ms: float | None
    max_ms: float
    dropped: int = 0
    busy: float | None = None


class LoadGenFigures(Part, frozen=True, kw_only=True):
    """Figures of MLCommons' LoadGen, as medians over the turns.

    Args:
        version: of LoadGen.
        p90_ms: of single-stream; None otherwise.
        samples_per_s: of offline; None otherwise.
    """

    version: str
    p90_ms: float | None
    samples_per_s: float | None


class BoundShare(Part, frozen=True, kw_only=True):
    """Share of the queries that were answered within the bound, with its 95 % interval."""

    within: float
    interval: Interval


class SideAnswers(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Answers of a side, beside its times.

    Args:
        golden: golden images of the bundle; 0 where it has none.
        other_labels: of these, how many got another label than from the trained network.
        faults: counted frames whose probabilities were no numbers.
        problem: why the golden images could not be asked for; empty where they were.
    """

    golden: int
    other_labels: int
    faults: int
    problem: str = ""
