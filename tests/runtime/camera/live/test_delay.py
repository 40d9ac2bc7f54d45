"""Delay of frames by the camera's clock, and frames that are too old. Clocks are the test's."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from runtime.camera.base import Camera, Frame
from runtime.camera.device import CATCH_UP_S, CAUGHT_UP_NS, MOST_BEHIND_NS, OpenCVFeed
from runtime.camera.live.delay import DRIFT, DelayWatch
from runtime.camera.live.feed import FeedLost
from tests.runtime.stream.test_pipeline import FakeCamera, FakeSession, ended, images, stream

MS = 1_000_000
PERIOD = 40 * MS


def test_frames_that_come_as_they_are_sent_have_no_delay_but_their_jitter():
    rng = random.Random(0)
    watch = DelayWatch()
    jitter = [rng.randrange(5 * MS) for _ in range(500)]
    delays = [
        watch.delay_ns(7 * 10**15 + n * PERIOD, n * PERIOD + 9 * MS + late)
        for n, late in enumerate(jitter)
    ]
    assert delays[0] == 0
    assert min(delays) == 0
    assert max(delays) < 6 * MS


def test_a_backlog_shows_for_as_long_as_it_lasts():
    watch = DelayWatch()
    for number in range(100):
        watch.delay_ns(number * PERIOD, number * PERIOD)
    # The consumer is a tenth too slow: each frame waits longer than the one before.
    delays = [
        watch.delay_ns((100 + n) * PERIOD, 100 * PERIOD + round(1.1 * n * PERIOD))
        for n in range(1000)
    ]
    assert delays == sorted(delays)
    assert delays[-1] == pytest.approx(0.1 * 999 * PERIOD, rel=0.01)


@pytest.mark.parametrize("drift", [DRIFT / 2, -DRIFT / 2])
def test_clocks_that_drift_apart_make_no_delay(drift):
    watch = DelayWatch()
    delays = [
        watch.delay_ns(round(n * 1e9 * (1 - drift)), n * 10**9) for n in range(0, 7 * 86_400, 60)
    ]
    assert max(delays) == 0


def test_a_clock_that_begins_anew_makes_no_delay():
    watch = DelayWatch()
    watch.delay_ns(10**12, 0)
    assert watch.delay_ns(5, PERIOD) == 0
    assert watch.delay_ns(5 + PERIOD, 3 * PERIOD) == pytest.approx(PERIOD, rel=0.01)


class Backlog:
    """A capture of a server that sends every 40 ms, whoever reads; reading takes `takes_ns`."""

    timed = True

    def __init__(self, takes_ns: int = MS) -> None:
        self.now_ns = 0
        self.takes_ns = takes_ns
        self.number = -1
        self.ends_at: int | None = None

    def grab(self) -> bool:
        self.number += 1
        self.now_ns = max(self.now_ns + self.takes_ns, self.number * PERIOD)
        return self.number != self.ends_at

    def sent_ns(self) -> int:
        return self.number * PERIOD

    def clock(self) -> int:
        return self.now_ns


def feed_of(capture: Backlog) -> OpenCVFeed:
    return OpenCVFeed(capture, capture.clock)


def test_frames_that_pile_up_are_passed_over_and_counted():
    capture = Backlog()
    feed = feed_of(capture)
    feed.grab()
    capture.now_ns += 5 * 10**9  # somebody was busy
    feed.grab()
    assert feed.delay_ns is not None
    assert feed.delay_ns <= CAUGHT_UP_NS
    assert feed.overtaken == capture.number - 1 > 100
    before = feed.overtaken
    feed.grab()
    assert feed.overtaken == before


def test_frames_of_a_consumer_that_is_always_too_slow_never_grow_old():
    capture = Backlog()
    feed = feed_of(capture)
    oldest = 0
    for _ in range(500):
        feed.grab()
        oldest = max(oldest, feed.delay_ns or 0)
        capture.now_ns += 3 * PERIOD
    assert oldest <= MOST_BEHIND_NS
    assert feed.overtaken > 500


def test_a_delay_that_is_short_is_measured_and_nothing_is_lost():
    capture = Backlog()
    feed = feed_of(capture)
    feed.grab()
    capture.now_ns += MOST_BEHIND_NS // 2
    feed.grab()
    assert feed.overtaken == 0
    assert feed.delay_ns is not None
    assert feed.delay_ns > MOST_BEHIND_NS // 3


def test_a_backlog_that_cannot_be_caught_up_ends_no_read():
    capture = Backlog(takes_ns=2 * PERIOD)  # decoding alone is too slow
    feed = feed_of(capture)
    feed.grab()
    capture.now_ns += 5 * 10**9
    before = capture.now_ns
    feed.grab()
    assert capture.now_ns - before <= CATCH_UP_S * 1e9 + 3 * PERIOD
    assert (feed.delay_ns or 0) > MOST_BEHIND_NS


def test_a_stream_that_ends_while_it_is_caught_up_is_lost():
    capture = Backlog()
    feed = feed_of(capture)
    feed.grab()
    capture.now_ns += 5 * 10**9
    capture.ends_at = 20
    with pytest.raises(FeedLost, match="its stream ended"):
        feed.grab()


class Delayed(FakeCamera):
    """Frames that were 3 s on their way."""

    def read(self) -> Frame | None:
        frame = super().read()
        return None if frame is None else replace(frame, delay_ns=3 * 10**9)


@pytest.mark.parametrize("camera", [FakeCamera, Delayed])
def test_the_age_of_a_verdict_counts_from_the_camera_where_it_gives_times(camera):
    source: Camera = camera([*images(5), None])
    pipeline, sink = stream(source, FakeSession())
    snapshot = ended(pipeline)
    if camera is FakeCamera:
        assert "age" not in snapshot.histograms
        return
    assert snapshot.histograms["age"].count == 6
    assert snapshot.histograms["age"].minimum >= 3 * 10**9
    for verdict in sink.verdicts:
        steps = verdict.line().steps_ns
        assert steps["age"] == steps["total"] + 3 * 10**9


def test_age_has_a_budget():
    pipeline, _ = stream(Delayed(images(4)), FakeSession(), limits={"age": 2 * 10**9})
    snapshot = ended(pipeline)
    assert snapshot.misses == snapshot.misses_by_step["age"] == 4
    assert np.isclose(snapshot.miss_share, 1.0)
