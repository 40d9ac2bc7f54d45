"""Triggers, lost frames and losses of a GenICam camera, on a device that does as it is told."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import pytest

from runtime.camera.address import CameraSource
from runtime.camera.base import CameraRequest, Frame
from runtime.camera.genicam.camera import GenicamCamera
from runtime.camera.genicam.device import Delivery, Device, SettingError
from runtime.camera.genicam.frame_ids import FrameIds
from runtime.camera.genicam.target import parse_target
from runtime.errors import InputError


def whole(frame_id: int | None = None, name: str = "Mono8") -> Delivery:
    return Delivery(bytes(64), name, 4, 8, frame_id=frame_id)


class Scripted(Device):
    """Delivers what it is given; with a software trigger, one delivery for each that is fired."""

    description = "Scripted 1"

    def __init__(self, *deliveries: Delivery | None, has: dict[str, str] | None = None) -> None:
        self.waiting = deque(deliveries)
        self.queued: deque[Delivery] = deque()
        self.has = has or {"PixelFormat": "Mono8", "Width": "8"}
        self.read_only: set[str] = set()
        self.trigger: str | None = None
        self.closed = self.gone = False

    @property
    def lost(self) -> bool:
        return self.gone

    def settings(self) -> dict[str, str]:
        return dict(self.has)

    def set(self, feature: str, value: str) -> str:
        if feature not in self.has or feature in self.read_only:
            raise SettingError(f"the camera does not take {feature}")
        self.has[feature] = value
        return value

    def set_trigger(self, trigger: str | None) -> None:
        self.trigger = trigger

    def start(self) -> None:
        """It waits to be asked."""

    def fetch(self, timeout_s: float) -> Delivery | None:
        if self.trigger == "software":
            return self.queued.popleft() if self.queued else None
        if not self.waiting:
            self.gone = True
            return None
        return self.waiting.popleft()

    def fire(self) -> None:
        if not self.waiting:
            raise SettingError("the camera does not answer")
        delivery = self.waiting.popleft()
        if delivery is not None:
            self.queued.append(delivery)

    def counters(self) -> dict[str, int]:
        return {"completed_buffers": 2}

    def close(self) -> None:
        self.closed = True


CAMERAS: list[GenicamCamera] = []


@pytest.fixture(autouse=True)
def short_times(monkeypatch) -> Iterator[None]:
    """Losses are found soon, and no camera's thread is left behind."""
    monkeypatch.setattr("runtime.camera.genicam.setup.FRAME_LIMIT_S", 0.05)
    monkeypatch.setattr("runtime.camera.live.backoff.FIRST_PAUSE_S", 0.001)
    yield
    while CAMERAS:
        CAMERAS.pop().close()


def opened(*devices: Scripted, said: list[str] | None = None, **options) -> GenicamCamera:
    waiting = deque(devices)
    wanted = options.pop("wanted", {})
    source = CameraSource("aravis", "aravis:test")
    report = (lambda text: None) if said is None else said.append
    request = CameraRequest(source, report=report, **options)
    CAMERAS.append(GenicamCamera(request, waiting.popleft, wanted))
    return CAMERAS[-1]


def take(camera: GenicamCamera, count: int) -> list[Frame]:
    frames = [camera.read() for _ in range(count)]
    return [frame for frame in frames if frame is not None]


def test_frames_that_never_came_are_counted():
    camera = opened(Scripted(whole(65534), whole(65535), whole(1), whole(4)))
    assert len(take(camera, 4)) == 4
    assert camera.statistics["lost_frames"] == 2


def test_a_buffer_that_is_not_whole_is_a_fault_with_its_number():
    broken = Delivery(b"", 0, 0, 0, frame_id=2, problem="incomplete: packets are missing")
    camera = opened(Scripted(whole(1), broken, whole(3, "Mono99"), whole(4)))
    frames = take(camera, 4)
    assert [frame.pixels is None for frame in frames] == [False, True, True, False]
    assert frames[1].fault.endswith("frame 1: incomplete: packets are missing")
    assert "its pixel format Mono99 is not one that is read" in frames[2].fault
    assert camera.statistics["incomplete_frames"] == 1
    assert camera.statistics["lost_frames"] == 0


def test_the_depth_of_a_format_is_said():
    camera = opened(Scripted(whole(1, "Mono12"), whole(2)))
    assert [frame.bits for frame in take(camera, 2)] == [12, None]


def test_a_software_trigger_without_a_frame_is_a_fault():
    camera = opened(Scripted(whole(1), None, whole(2)), trigger="software")
    frames = take(camera, 3)
    assert [frame.pixels is None for frame in frames] == [False, True, False]
    assert "no frame came to its trigger" in frames[1].fault
    assert [frame.missed for frame in frames] == [False, True, False]
    assert camera.statistics["triggers"] == 3
    assert camera.statistics["missed_triggers"] == 1
    assert camera.statistics["incomplete_frames"] == 0


def test_a_frame_that_comes_too_late_is_not_taken_for_the_next_part():
    device = Scripted(None, whole(2))
    camera = opened(device, trigger="software")
    assert take(camera, 1)[0].pixels is None
    device.queued.append(whole(1))
    assert take(camera, 1)[0].pixels is not None
    assert not device.queued
    assert camera.statistics["unasked_frames"] == 1


def test_triggers_that_go_unanswered_are_a_lost_camera():
    silent, back = Scripted(whole(1), None, None, None), Scripted(whole(1))
    camera = opened(silent, back, trigger="software")
    assert [frame.pixels is None for frame in take(camera, 4)] == [False, True, True, False]
    assert camera.stalls == 1
    assert silent.closed
    assert camera.statistics["missed_triggers"] == 3
    assert camera.statistics["completed_buffers"] == 4


def test_a_missed_part_of_an_outer_trigger_gets_its_fault_before_the_next_frame():
    camera = opened(Scripted(None, whole(7), None, None, whole(10), whole(11)), trigger="line")
    frames = take(camera, 5)
    assert [frame.pixels is None for frame in frames] == [False, True, True, False, False]
    assert [frame.missed for frame in frames] == [False, True, True, False, False]
    assert camera.statistics["triggers"] == 5
    assert camera.statistics["missed_triggers"] == 2
    assert camera.stalls == camera.losses == 0


def test_an_outer_trigger_leaves_the_camera_as_it_is_set():
    outer, line = Scripted(whole(1)), Scripted(whole(1))
    outer.trigger = "as set"
    take(opened(outer, trigger="external"), 1)
    take(opened(line, trigger="line"), 1)
    assert (outer.trigger, line.trigger) == ("as set", "line")


def test_settings_come_back_and_differences_are_reported():
    said: list[str] = []
    first = Scripted(whole(1), has={"PixelFormat": "Mono8", "Width": "8", "Gain": "1.0"})
    second = Scripted(whole(1), has={"PixelFormat": "Mono16", "Width": "64", "Gain": "0"})
    second.read_only = {"Gain"}
    camera = opened(first, second, said=said, wanted={"Width": "16"})
    take(camera, 2)
    assert first.has["Width"] == "16"
    assert second.has == {"PixelFormat": "Mono8", "Width": "16", "Gain": "0"}
    told = [line for line in said if "after its loss" in line]
    assert len(told) == 1
    assert "Gain of the camera is 0, not 1.0 (the camera does not take Gain)" in told[0]


def test_automatic_exposure_is_warned_of_and_rounding_is_told():
    device = Scripted(has={"ExposureAuto": "Continuous", "Gain": "1"})
    device.set = lambda feature, value: "4.98"  # type: ignore[method-assign]
    camera = opened(device, wanted={"Gain": "5"})
    assert camera.notes[0] == "the camera made Gain 4.98, not 5"
    assert "ExposureAuto is Continuous: brightness will follow the parts" in camera.notes[1]


def test_a_setting_that_is_refused_gives_the_camera_back():
    device = Scripted()
    with pytest.raises(InputError, match="does not take Sharpness; check the settings"):
        opened(device, wanted={"Sharpness": "1"})
    assert device.closed


@pytest.mark.parametrize(
    ("ids", "lost"),
    [
        ([65534, 65535, 1, 2], 0),
        ([65535, 3], 2),
        ([65535, 0, 1], 0),
        ([7, 7, 8], 0),
        ([9000, 1, 2], 0),
        ([70_000, 70_003], 2),
        ([0, 1, 2, 5], 2),
        ([65534, 65535, 65536, 65538], 1),
        ([5], 0),
    ],
)
def test_gaps_of_ids(ids, lost):
    counted = FrameIds()
    assert sum(counted.gap(one) for one in ids) == lost


def test_a_target_with_settings():
    target = parse_target("192.168.0.10?ExposureTime=5000&UserSetSelector=Default", "aravis:…")
    assert target.device == "192.168.0.10"
    assert list(target.settings.items()) == [
        ("ExposureTime", "5000"),
        ("UserSetSelector", "Default"),
    ]
    assert parse_target("", "aravis:").settings == {}
    for wrong in ("a?Width", "a?Width=", "a?=5", "a?Wi dth=5"):
        with pytest.raises(InputError, match="FEATURE=VALUE"):
            parse_target(wrong, f"aravis:{wrong}")
