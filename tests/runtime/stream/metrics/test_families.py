"""Metrics say what the accounts say."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from runtime.stream.latency import LatencyHistogram
from runtime.stream.metrics.families import BUCKETS_NS, rendered
from runtime.stream.metrics.watched import WatchedStation, WatchedStream
from runtime.stream.parts.summary import PartsAccount
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.sinks import Sink, StreamFacts
from tests.runtime.stream.test_pipeline import (
    FakeCamera,
    FakeSession,
    ListSink,
    ended,
    images,
    stream,
)

prometheus = pytest.importorskip("prometheus_client")

FACTS = StreamFacts(bundle='a "b"\\c\nd.edgecl', digest="abc")


def samples(station: WatchedStation) -> dict[str, float]:
    """Each sample of the text that is served, by name and labels."""
    from prometheus_client.parser import text_string_to_metric_families

    found: dict[str, float] = {}
    for family in text_string_to_metric_families(rendered(station).decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            key = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert key not in found
            found[key] = sample.value
    return found


def watched(
    pipeline: Pipeline, camera: Any, name: str = "", sinks: Any = None, **more: Any
) -> WatchedStream:
    return WatchedStream(name, pipeline, camera, pipeline.sinks if sinks is None else sinks, **more)


def test_metrics_are_those_of_the_accounts():
    camera = FakeCamera([*images(6), None])
    pipeline, _ = stream(camera, FakeSession(), limits={"infer": 0, "total": 10**12})
    snapshot = ended(pipeline)
    one = WatchedStream("", pipeline, camera, pipeline.sinks)
    found = samples(WatchedStation(FACTS, FakeSession(), [one]))
    assert found["edgecl_frames_total{status=pass}"] == 6
    assert found["edgecl_frames_total{status=fault}"] == 1
    assert found["edgecl_frames_total{status=reject}"] == 0
    assert found["edgecl_captured_frames_total"] == 7
    assert found["edgecl_dropped_frames_total"] == 0
    assert found["edgecl_judging"] == 0
    assert (
        found["edgecl_budget_exceeded_total{step=infer}"]
        == 6
        == found["edgecl_budget_misses_total"]
    )
    assert found["edgecl_budget_exceeded_total{step=total}"] == 0
    assert found["edgecl_budget_seconds{step=total}"] == 1000
    assert found["edgecl_deadline_misses_total"] == 0
    assert found["edgecl_frame_age_seconds"] > 0
    total = snapshot.histograms["total"]
    assert found["edgecl_step_seconds_count{step=total}"] == total.count == 7
    assert found["edgecl_step_seconds_sum{step=total}"] == pytest.approx(total.total / 1e9)
    assert found["edgecl_step_seconds_bucket{le=+Inf,step=infer}"] == 6
    assert found["process_resident_memory_bytes"] > 2**20
    # What is not there says nothing, rather than 0.
    assert not [key for key in found if "camera_up" in key or "drift" in key or "parts" in key]
    (info,) = [key for key in found if key.startswith("edgecl_build_info")]
    assert 'bundle=a "b"\\c\nd.edgecl' in info
    assert "digest=abc,engine=fake,engine_version=1,precision=fp32" in info.replace(
        "device=CPU,", ""
    )


def test_names_that_are_no_utf8_are_served():
    camera = FakeCamera(images(1))
    pipeline, _ = stream(camera, FakeSession())
    ended(pipeline)
    facts = StreamFacts(bundle="b\udcff.edgecl")
    found = samples(WatchedStation(facts, FakeSession(), [watched(pipeline, camera)]))
    assert any("bundle=b?.edgecl" in key for key in found)


def test_the_age_counts_from_the_start_until_there_is_a_frame():
    gate = threading.Event()
    camera = FakeCamera(images(1))

    def before_read(number: int) -> None:
        gate.wait(20)

    camera.before_read = before_read
    pipeline, _ = stream(camera, FakeSession())
    found = samples(WatchedStation(FACTS, FakeSession(), [watched(pipeline, camera)]))
    assert 0 <= found["edgecl_frame_age_seconds"] < 1000
    assert found["edgecl_judging"] == 1
    assert found["edgecl_captured_frames_total"] == 0
    gate.set()
    ended(pipeline)


def test_several_cameras_have_a_label_and_shared_sinks_none():
    pipelines = {}
    for name, count in (("left", 2), ("right", 3)):
        camera = FakeCamera(images(count))
        pipelines[name] = (stream(camera, FakeSession())[0], camera)
    for pipeline, _ in pipelines.values():
        ended(pipeline)
    shared = ListSink()
    shared.name = "jsonl"
    streams = [watched(p, camera, name, p.sinks) for name, (p, camera) in pipelines.items()]
    found = samples(WatchedStation(FACTS, FakeSession(), streams, [shared, shared]))
    assert found["edgecl_frames_total{camera=left,status=pass}"] == 2
    assert found["edgecl_frames_total{camera=right,status=pass}"] == 3
    assert found["edgecl_step_seconds_count{camera=right,step=infer}"] == 3
    assert found["edgecl_sink_lost_total{camera=left,sink=verdicts}"] == 0
    assert found["edgecl_sink_lost_total{sink=jsonl}"] == 0
    assert found["edgecl_sink_lost_total{sink=jsonl (2)}"] == 0


class Counting(Sink):
    name, lost, waiting = "mqtt broker:1883/line", 3, 40
    isolated, acts, acted, late_acts = True, True, 9, 2
    counts: Mapping[str, int] = {"written": 7}

    def emit(self, verdict):
        pass


def test_sinks_say_what_they_lost_and_what_waits():
    camera = FakeCamera(images(1))
    pipeline = Pipeline(camera, FakeSession(), Settings(), [ListSink(), Counting()])
    pipeline.start()
    ended(pipeline)
    found = samples(WatchedStation(FACTS, FakeSession(), [watched(pipeline, camera)]))
    labels = "sink=mqtt broker:1883/line"
    assert found[f"edgecl_sink_lost_total{{{labels}}}"] == 3
    assert found[f"edgecl_sink_waiting{{{labels}}}"] == 40
    assert found[f"edgecl_sink_count{{count=written,{labels}}}"] == 7
    assert found[f"edgecl_sink_acts_total{{outcome=in_time,{labels}}}"] == 7
    assert found[f"edgecl_sink_acts_total{{outcome=late,{labels}}}"] == 2


class Unsteady(FakeCamera):
    reconnects, losses, stalls, seconds_lost = True, 2, 1, 7.5
    statistics = {"lost_frames": 4}
    away = True


def test_a_camera_that_is_away_has_come_back_once_less():
    camera = Unsteady(images(1))
    pipeline, _ = stream(camera, FakeSession())
    ended(pipeline)
    found = samples(WatchedStation(FACTS, FakeSession(), [watched(pipeline, camera)]))
    assert found["edgecl_camera_up"] == 0
    assert found["edgecl_camera_reconnections_total"] == 2
    assert found["edgecl_camera_outage_seconds_total"] == 7.5
    assert found["edgecl_camera_statistics_total{statistic=lost_frames}"] == 4
    assert found["edgecl_health_faults_total{fault=lost}"] == 2
    assert found["edgecl_health_faults_total{fault=stalled}"] == 1


@pytest.mark.parametrize(
    ("far", "counted", "alarm"), [(29, 100, 1), (28, 100, 0), (50, 60, 0), (0, 0, 0)]
)
def test_the_drift_alarm_is_on_while_too_many_are_far(far, counted, alarm, monkeypatch):
    camera = FakeCamera(images(1))
    pipeline, _ = stream(camera, FakeSession())
    ended(pipeline)
    level = SimpleNamespace(far=far, counted=counted, window=100, least=29)
    monkeypatch.setattr(Pipeline, "drift", level)
    found = samples(WatchedStation(FACTS, FakeSession(), [watched(pipeline, camera)]))
    assert found["edgecl_drift_alarm"] == alarm


def test_parts_are_counted():
    camera = FakeCamera(images(1))
    pipeline, _ = stream(camera, FakeSession())
    ended(pipeline)
    account = PartsAccount(
        parts=5,
        statuses={"pass": 5},
        missing={"left": 2},
        late_frames=0,
        repeated_frames=0,
        unmatched_frames=0,
        window_ms=None,
        deadline_ms=None,
    )
    station = WatchedStation(FACTS, FakeSession(), [watched(pipeline, camera)], (), lambda: account)
    found = samples(station)
    assert found["edgecl_parts_total{status=pass}"] == 5
    assert found["edgecl_parts_without_camera_total{camera=left}"] == 2


def test_buckets_count_what_is_no_longer_than_their_bound():
    durations = np.random.default_rng(0).lognormal(15, 3, 20_000).astype(np.int64)
    durations = np.concatenate([durations, [0, 1, 255, 256, 10**5, 10**9, 2**41]])
    histogram = LatencyHistogram()
    for duration in durations:
        histogram.record(int(duration))
    counts = histogram.counts_up_to(BUCKETS_NS)
    assert counts == sorted(counts)
    for bound, count in zip(BUCKETS_NS, counts, strict=True):
        assert (durations <= bound).sum() <= count <= (durations <= 1.008 * bound).sum()
    assert (BUCKETS_NS[0], BUCKETS_NS[-1], len(BUCKETS_NS)) == (10**5, 10**9, 13)
    assert histogram.counts_up_to([2**50]) == [len(durations)]
