"""Metrics by name, made of a stream's accounts when they are asked for.

Names and units follow Prometheus: base units, `_total` behind counters (which the library adds).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Literal

from runtime.errors import InputError
from runtime.stream.latency import LatencyHistogram
from runtime.stream.metrics.watched import ObservedStream, WatchedStation
from runtime.stream.sinks.base import Sink
from runtime.stream.sinks.remote.messages import writable

if TYPE_CHECKING:
    from prometheus_client import Metric

BUCKETS_NS = (*(figure * 10**power for power in (5, 6, 7, 8) for figure in (1, 2, 5)), 10**9)
"""Upper bounds of the histogram's buckets in nanoseconds: 0.1 ms to 1 s."""

CAMERA, STEP, SINK = "camera", "step", "sink"


@dataclass(frozen=True)
class Family:
    """Metric with one label at most, beside the camera's.

    Args:
        name: without `_total`.
        kind: what its numbers are.
        documentation: in one sentence.
        read: returns the numbers of a stream by the label's value; `""` where there is no label.
        label: its name; empty for none.
    """

    name: str
    kind: Literal["counter", "gauge"]
    documentation: str
    read: Callable[[ObservedStream], Mapping[str, float]]
    label: str = ""


FAMILIES = (
    Family("edgecl_judging", "gauge", "1 until the camera has ended.", lambda s: s.judging),
    Family(
        "edgecl_frames",
        "counter",
        "Verdicts by status.",
        lambda s: s.snapshot.statuses,
        "status",
    ),
    Family(
        "edgecl_captured_frames",
        "counter",
        "Frames that the camera delivered.",
        lambda s: {"": s.snapshot.captured},
    ),
    Family(
        "edgecl_dropped_frames",
        "counter",
        "Frames that a newer one displaced before their turn.",
        lambda s: {"": s.snapshot.dropped},
    ),
    Family(
        "edgecl_frame_age_seconds",
        "gauge",
        "Time since the capture of the newest frame with a verdict.",
        lambda s: s.frame_age,
    ),
    Family(
        "edgecl_budget_seconds",
        "gauge",
        "Limit of a step.",
        lambda s: s.limits,
        STEP,
    ),
    Family(
        "edgecl_budget_exceeded",
        "counter",
        "Frames of which a step was over its limit.",
        lambda s: s.exceeded,
        STEP,
    ),
    Family(
        "edgecl_budget_misses",
        "counter",
        "Judged frames of which a step or the whole was over its limit.",
        lambda s: {"": s.snapshot.misses} if s.limits else {},
    ),
    Family(
        "edgecl_deadline_misses",
        "counter",
        "Judged frames without a verdict by their deadline.",
        lambda s: {"": s.snapshot.late},
    ),
    Family(
        "edgecl_late_answers",
        "counter",
        "Answers that came after the deadline, by the status that they would have had.",
        lambda s: s.snapshot.late_answers,
        "status",
    ),
    Family(
        "edgecl_held_back_rejects",
        "counter",
        "Rejects that debounce let pass.",
        lambda s: {"": s.snapshot.held_back},
    ),
    Family(
        "edgecl_health_faults",
        "counter",
        "Faults of the camera's frames, by name.",
        lambda s: s.health,
        "fault",
    ),
    Family(
        "edgecl_drift_alarm",
        "gauge",
        "1 while too many frames are far from the training images.",
        lambda s: s.drift,
    ),
    Family(
        "edgecl_camera_up",
        "gauge",
        "0 while a camera that is opened again is away.",
        lambda s: s.camera_up,
    ),
    Family(
        "edgecl_camera_reconnections",
        "counter",
        "How often a lost camera came back.",
        lambda s: s.reconnections,
    ),
    Family(
        "edgecl_camera_outage_seconds",
        "counter",
        "Time without frames in all outages of the camera.",
        lambda s: s.seconds_lost,
    ),
    Family(
        "edgecl_camera_statistics",
        "counter",
        "Counts of camera and driver, by name.",
        lambda s: s.camera_statistics,
        "statistic",
    ),
    Family(
        "edgecl_heat_maps",
        "counter",
        "Heat maps of rejects, by what became of them.",
        lambda s: s.heat_maps,
        "outcome",
    ),
)


def rendered(station: WatchedStation) -> bytes:
    """Return the metrics of all streams in Prometheus's text format."""
    from prometheus_client import ProcessCollector, generate_latest

    process = ProcessCollector(registry=None)
    return generate_latest(_Collected([*families(station), *process.collect()]))


def require_client() -> None:
    """Require the package that renders metrics.

    Raises:
        InputError: it is not installed.
    """
    try:
        import prometheus_client  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"--metrics needs prometheus-client, which is not installed ({error})",
            hint="install it: pip install 'edgecl[metrics]'",
            code="package-missing",
        ) from error


def families(station: WatchedStation) -> Iterator[Metric]:
    """Yield the metrics of all streams as they are now."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    seen = [stream.observed() for stream in station.streams]
    yield _tidied(_build_info(station))
    for family in FAMILIES:
        make = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
        labels = [CAMERA, family.label] if family.label else [CAMERA]
        metric = make(family.name, family.documentation, labels=labels)
        for stream in seen:
            for value, number in family.read(stream).items():
                metric.add_metric([stream.name, value][: len(labels)], number)
        yield _tidied(metric)
    yield _step_seconds(seen)
    yield from _of_sinks(station.sinks())
    if station.parts is not None:
        parts = CounterMetricFamily("edgecl_parts", "Verdicts on parts.", labels=["status"])
        missing = CounterMetricFamily(
            "edgecl_parts_without_camera", "Parts in which a camera was missing.", labels=[CAMERA]
        )
        account = station.parts()
        for status, count in account.statuses.items():
            parts.add_metric([status], count)
        for camera, count in account.missing.items():
            missing.add_metric([camera], count)
        yield from (parts, missing)


def _step_seconds(seen: Sequence[ObservedStream]) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    metric = HistogramMetricFamily(
        "edgecl_step_seconds", "Durations of a frame's steps.", labels=[CAMERA, STEP]
    )
    for stream in seen:
        for step, histogram in stream.snapshot.histograms.items():
            metric.add_metric(
                [stream.name, step], _buckets(histogram), sum_value=histogram.total / 1e9
            )
    return _tidied(metric)


def _buckets(histogram: LatencyHistogram) -> list[tuple[str, float]]:
    counts = histogram.counts_up_to(BUCKETS_NS)
    bounds = [f"{bound / 1e9:g}" for bound in BUCKETS_NS]
    return [*zip(bounds, counts, strict=True), ("+Inf", histogram.count)]


def _of_sinks(sinks: Sequence[tuple[str, str, Sink]]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    labels = [CAMERA, SINK]
    lost = CounterMetricFamily("edgecl_sink_lost", "What a sink has lost.", labels=labels)
    waiting = GaugeMetricFamily(
        "edgecl_sink_waiting", "Verdicts in a sink's spool on disk.", labels=labels
    )
    counts = GaugeMetricFamily(
        "edgecl_sink_count", "What a sink counts, by name.", labels=[*labels, "count"]
    )
    acts = CounterMetricFamily(
        "edgecl_sink_acts", "Verdicts that a sink acted on.", labels=[*labels, "outcome"]
    )
    for camera, name, sink in sinks:
        if sink.acts:
            acts.add_metric([camera, name, "in_time"], sink.acted - sink.late_acts)
            acts.add_metric([camera, name, "late"], sink.late_acts)
        lost.add_metric([camera, name], sink.lost)
        waiting.add_metric([camera, name], sink.waiting)
        for count, number in sink.counts.items():
            counts.add_metric([camera, name, count], number)
    yield from (_tidied(metric) for metric in (lost, waiting, acts, counts))


def _build_info(station: WatchedStation) -> Metric:
    from prometheus_client.core import InfoMetricFamily

    bundle, digest, session = station.judging()
    try:
        release = version("edgecl")
    except PackageNotFoundError:
        release = ""
    return InfoMetricFamily(
        "edgecl_build",
        "What judges.",
        value={
            "version": release,
            "bundle": bundle,
            "digest": digest,
            "engine": session.engine,
            "engine_version": session.version,
            "precision": session.precision,
            "device": session.device,
        },
    )


def _tidied(metric: Metric) -> Metric:
    """Leave out labels without a value, and make all others such that UTF-8 can hold them."""
    metric.samples = [
        sample._replace(labels={n: writable(text) for n, text in sample.labels.items() if text})
        for sample in metric.samples
    ]
    return metric


class _Collected:
    """A collector of metrics that are there."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Sequence[Metric]:
        return self._metrics
