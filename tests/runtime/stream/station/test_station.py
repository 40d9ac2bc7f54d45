"""Several streams at one model: each has accounts of its own, and none holds another up."""

from __future__ import annotations

import gc
import sys
import threading
from typing import Any

import pytest

from runtime.camera.base import Camera
from runtime.errors import EquipmentError
from runtime.session.base import Session
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.sharing.pool import SessionPool
from runtime.stream.station.naming import NamingSink
from runtime.stream.station.station import Station
from tests.runtime.stream.test_pipeline import (
    PATIENCE,
    FakeCamera,
    FakeSession,
    ListSink,
    assert_waited,
    images,
)


def station_of(
    cameras: dict[str, Camera], session: Session, sink: ListSink, **options: Any
) -> Station:
    pool = SessionPool([session])
    return Station(
        {
            name: Pipeline(
                camera,
                pool.for_camera(name),
                Settings(every_frame=True),
                [NamingSink(sink, name)],
                grace_s=0.2,
            )
            for name, camera in cameras.items()
        },
        **options,
    )


def numbers(sink: ListSink, camera: str) -> list[int]:
    return [verdict.number for verdict in sink.verdicts if verdict.camera == camera]


def test_each_camera_has_its_own_accounts_and_all_share_a_sink():
    sink = ListSink()
    cameras: dict[str, Camera] = {
        "left": FakeCamera(images(30)),
        "right": FakeCamera([*images(5), None, *images(4)]),
    }
    session = FakeSession()
    station = station_of(cameras, session, sink)
    station.start()
    assert station.wait(PATIENCE)
    snapshots = station.close()
    assert {name: s.captured for name, s in snapshots.items()} == {"left": 30, "right": 10}
    assert {name: s.faulty for name, s in snapshots.items()} == {"left": 0, "right": 1}
    assert all(snapshot.balanced for snapshot in snapshots.values())
    assert numbers(sink, "left") == list(range(30))
    assert numbers(sink, "right") == list(range(10))
    assert session.calls == 39
    assert "turn" in snapshots["left"].histograms


def test_a_camera_that_sends_without_end_starves_no_other():
    sink = ListSink()
    slow = FakeCamera(images(20), live=True)
    station = station_of({"flood": FakeCamera(images(10**6)), "slow": slow}, FakeSession(), sink)
    station.start()
    assert station.pipelines["slow"].wait(PATIENCE)
    station.stop()
    snapshots = station.close()
    assert numbers(sink, "slow") == list(range(20))
    assert snapshots["flood"].balanced
    assert snapshots["flood"].judged > 0


def lost(after: int) -> FakeCamera:
    error = EquipmentError("it did not come back", hint="look", code="camera-lost")
    return FakeCamera([*images(after), error], live=True)


def test_a_lost_camera_ends_its_own_stream_alone():
    sink = ListSink()
    ended: list[str] = []
    station = station_of(
        {"left": lost(after=2), "right": FakeCamera(images(200))},
        FakeSession(),
        sink,
        on_end=ended.append,
    )
    station.start()
    assert station.wait(PATIENCE)
    snapshots = station.close()
    assert snapshots["left"].captured == 2
    assert snapshots["right"].judged == 200
    assert list(station.failures) == ["left"]
    assert sorted(ended) == ["left", "right"]


def test_a_camera_that_all_depend_on_ends_all_streams():
    endless = FakeCamera(images(10**6))
    station = station_of(
        {"left": lost(after=2), "right": endless}, FakeSession(), ListSink(), vital=["left"]
    )
    station.start()
    assert station.wait(PATIENCE)
    snapshots = station.close()
    assert snapshots["right"].balanced
    assert 0 < snapshots["right"].captured < 10**6
    assert list(station.failures) == ["left"]


def test_cameras_that_hang_are_all_left_behind_at_the_end():
    release = threading.Event()
    cameras: dict[str, Camera] = {}
    for name in ("left", "right"):
        camera = FakeCamera(images(5), live=True)
        camera.before_read = lambda number: None if number < 1 else assert_waited(release)
        cameras[name] = camera
    sink = ListSink()
    station = station_of(cameras, FakeSession(), sink)
    station.start()
    sink.wait_for(2)
    snapshots = station.close()
    assert all(snapshot.balanced for snapshot in snapshots.values())
    for pipeline in station.pipelines.values():
        assert "the camera did not respond" in pipeline.notes[0]
    release.set()


@pytest.mark.usefixtures("nothing_frozen")
@pytest.mark.parametrize("own_process", [True, False])
def test_the_interpreter_is_tuned_once_for_all_and_left_as_it_was(own_process):
    before = sys.getswitchinterval(), gc.get_freeze_count()
    station = station_of(
        {"a": FakeCamera(images(3)), "b": FakeCamera(images(3))},
        FakeSession(),
        ListSink(),
        own_process=own_process,
    )
    station.start()
    assert (gc.get_freeze_count() > before[1]) == own_process
    assert station.wait(PATIENCE)
    station.close()
    assert (sys.getswitchinterval(), gc.get_freeze_count()) == before


class Stub(Pipeline):
    """A stream whose failure is known a moment after its last verdict, as a capture thread's is."""

    def __init__(self, *, ends: bool) -> None:
        self.ends = ends
        self.told: BaseException | None = None

    def wait(self, timeout_s: float | None = None) -> bool:
        return self.ends

    def stop(self) -> None:
        self.ends = True

    @property
    def failure(self) -> BaseException | None:
        return self.told


def test_a_failure_that_is_known_after_the_last_verdict_ends_all_too():
    left, right = Stub(ends=True), Stub(ends=False)
    station = Station({"left": left, "right": right}, vital=["left"])
    assert not station.wait(0)
    left.told = EquipmentError("it did not come back", hint="look", code="camera-lost")
    assert station.wait(PATIENCE)
    assert right.ends
