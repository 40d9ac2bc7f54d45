"""Tests against Aravis's fake camera, run by `test_aravis.py` in the system's Python."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgecl.cli.shell import run
from runtime.camera import Camera, Frame, open_camera
from runtime.camera.genicam.aravis import load_aravis
from runtime.camera.genicam.formats import BY_NAME
from runtime.errors import EquipmentError, InputError

AT = "aravis:127.0.0.1"
Fake = subprocess.Popen[str]
StartFake = Callable[..., Fake]


@pytest.fixture(autouse=True, scope="module")
def only_one() -> Iterator[None]:
    """The fake camera's port is fixed: one at a time on a machine."""
    with open(Path(tempfile.gettempdir()) / "edgecl-fake-camera.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def start_fake() -> Iterator[StartFake]:
    started: list[Fake] = []

    def start(lost: float = 0.0) -> Fake:
        program = str(Path(__file__).with_name("fake_camera.py"))
        fake = subprocess.Popen(
            [sys.executable, program, "GV01", str(lost)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(fake)
        assert fake.stdout is not None
        assert fake.stdout.readline() == "ready\n"
        return fake

    yield start
    for fake in started:
        fake.kill()
        fake.communicate()


def take(camera: Camera, count: int) -> list[Frame]:
    frames = [camera.read() for _ in range(count)]
    assert all(frame is not None for frame in frames)
    return [frame for frame in frames if frame is not None]


def take_whole(camera: Camera, count: int) -> list[Frame]:
    """Frames with pixels: packets are lost where a busy machine wakes the reader too late."""
    whole: list[Frame] = []
    while len(whole) < count:
        frame = camera.read()
        assert frame is not None
        if frame.pixels is not None:
            whole.append(frame)
    return whole


def test_frames_come_with_the_settings_that_were_asked_for(start_fake):
    start_fake()
    settings = {"PixelFormat": "Mono16", "ExposureTime": "5000"}
    with open_camera(f"{AT}?Width=256&Height=128", fps=50, settings=settings) as camera:
        frames = take_whole(camera, 5)
        assert camera.live
        assert "Fake" in camera.name
        assert "Width" not in camera.name
        assert camera.fps == 50
        assert float(camera.settings["AcquisitionFrameRate"]) == 50
        assert float(camera.settings["ExposureTimeAbs"]) == 5000
        assert camera.link["host_address"] == "127.0.0.1"
        assert camera.statistics["completed_buffers"] >= 5
    numbers = [frame.number for frame in frames]
    assert numbers == sorted(set(numbers))
    for frame in frames:
        assert frame.pixels is not None
        assert frame.pixels.shape == (128, 256)
        assert frame.pixels.dtype == np.uint16
        assert frame.pixels.max() > 4096
        assert frame.bits == 16
        assert frame.device_ns is not None
    assert camera.statistics["completed_buffers"] >= 5  # it is closed, and the summary comes now


def test_a_frame_is_a_copy_that_no_later_one_overwrites(start_fake):
    """Through all buffers, and more."""
    start_fake()
    with open_camera(f"{AT}?Width=64&Height=64", fps=100) as camera:
        images = [frame.pixels for frame in take(camera, 40) if frame.pixels is not None]
    assert len({image.tobytes() for image in images}) == 40


@pytest.mark.parametrize(("name", "axes"), [("Mono8", 2), ("BayerRG8", 2), ("RGB8", 3)])
def test_eight_bit_formats(name, axes, start_fake):
    start_fake()
    with open_camera(f"{AT}?PixelFormat={name}&Width=64&Height=32") as camera:
        (frame,) = take(camera, 1)
    assert frame.pixels is not None
    assert frame.pixels.shape == (32, 64, 3)[:axes]
    assert frame.pixels.dtype == np.uint8
    assert frame.bits is None


def test_lost_packets_are_faults_and_are_counted(start_fake):
    start_fake(0.003)
    with open_camera(f"{AT}?Width=256&Height=256", fps=50) as camera:
        frames = take(camera, 60)
    faults = [frame.fault for frame in frames if frame.pixels is None]
    assert 0 < len(faults) < 60
    assert all("incomplete: " in fault for fault in faults)
    assert camera.statistics["incomplete_frames"] == len(faults)
    assert camera.statistics["missing_packets"] >= len(faults)


def test_a_killed_camera_comes_back_with_its_settings(start_fake):
    fake = start_fake()
    said: list[str] = []
    settings = {"Width": "192", "Height": "96", "PixelFormat": "Mono16"}
    with open_camera(AT, report=said.append, settings=settings) as camera:
        before = take(camera, 3)
        fake.kill()
        fake.wait()
        restart = threading.Timer(0.5, start_fake)
        restart.start()
        after = take(camera, 3)
        restart.join()
        assert camera.losses + camera.stalls == 1
        assert camera.seconds_lost > 0
    assert [frame.number for frame in (*before, *after)] == list(range(6))
    for frame in after:
        assert frame.pixels is not None
        assert frame.pixels.shape == (96, 192)
        assert frame.pixels.dtype == np.uint16
    assert "opening it again" in said[0]
    assert "is back after" in said[-1]
    assert not [line for line in said if "after its loss" in line]


def test_a_camera_that_stays_away_is_given_up(start_fake):
    fake = start_fake()
    with open_camera(AT, give_up_after=1.0) as camera:
        take(camera, 1)
        fake.kill()
        fake.wait()
        with pytest.raises(EquipmentError, match="did not recover within 1 s"):
            take(camera, 100)


def test_ids_that_wrap_lose_no_frame(start_fake):
    """The fake camera begins at 65,401 of 65,535."""
    start_fake()
    with open_camera(f"{AT}?Width=64&Height=64", fps=100) as camera:
        assert all(frame.pixels is not None for frame in take(camera, 160))
        assert camera.statistics["lost_frames"] == 0


def test_a_software_trigger_brings_one_frame_each(start_fake):
    fake = start_fake()
    with open_camera(f"{AT}?Width=64&Height=64", trigger="software", fps=20) as camera:
        last = take_whole(camera, 6)[-1]
        assert camera.statistics["triggers"] == last.number + 1
        fake.kill()
        fake.wait()
        start_fake()
        take(camera, 3)
        assert camera.losses + camera.stalls == 1
        assert camera.read() is not None


def test_without_a_part_silence_is_normal(start_fake, monkeypatch):
    monkeypatch.setattr("runtime.camera.genicam.setup.FRAME_LIMIT_S", 0.2)
    start_fake()
    camera = open_camera(AT, trigger="line")
    threading.Timer(1.5, camera.close).start()
    assert camera.read() is None
    assert camera.losses == camera.stalls == 0
    # The next one runs freely, whatever the camera was left with.
    with open_camera(AT) as camera:
        assert take_whole(camera, 1)


@pytest.mark.parametrize(
    ("target", "options", "words"),
    [
        ("127.0.0.2", {}, "it cannot be opened (Can't connect to device"),
        ("nobody", {}, "not found); found here: Aravis-Fake-GV01"),
        ("127.0.0.1?Sharpness=3", {}, "the camera has no feature Sharpness"),
        ("127.0.0.1?Width=99999", {}, "does not take Width=99999"),
        ("127.0.0.1?Width", {}, "'Width' is not FEATURE=VALUE"),
        ("127.0.0.1?Width=1&Width=2", {}, "Width is set twice"),
        ("127.0.0.1", {"trigger": "sometimes"}, "choose from software, line, external"),
        ("127.0.0.1", {"trigger": "line", "fps": 5}, "leave out --fps"),
    ],
)
def test_what_cannot_be_opened_is_told(target, options, words, start_fake):
    start_fake()
    with pytest.raises(InputError) as caught:
        open_camera(f"aravis:{target}", **options)
    assert words in str(caught.value)


def test_the_summary_of_a_stream_has_the_statistics(
    start_fake, make_bundle, tmp_path, monkeypatch, capfd
):
    start_fake(0.003)
    monkeypatch.chdir(tmp_path)
    make_bundle(tmp_path / "tiny.edgecl")
    target = f"{AT}?Width=256&Height=256"
    code = run(["run", "--camera", target, "--fps", "50", "--frames", "40", "--json"])
    assert code == 0
    summary = json.loads(capfd.readouterr().out)
    assert summary["balanced"]
    assert summary["faulty"] > 0
    assert summary["camera_statistics"]["incomplete_frames"] == summary["health"]["damaged"]
    assert summary["camera_statistics"]["missing_packets"] > 0


def test_a_missed_trigger_is_a_fault_with_a_name(
    start_fake, make_bundle, tmp_path, monkeypatch, capfd
):
    """The camera stops in the middle, and is killed while its trigger waits."""
    monkeypatch.setattr("runtime.camera.genicam.setup.FRAME_LIMIT_S", 0.5)
    fake = start_fake()
    monkeypatch.chdir(tmp_path)
    make_bundle(tmp_path / "tiny.edgecl")
    threading.Timer(1.5, fake.kill).start()
    options = ["--trigger", "software", "--fps", "20", "--give-up-after", "0.5", "--json"]
    assert run(["run", "--camera", f"{AT}?Width=64&Height=64", "--every-frame", *options]) == 3
    summary = json.loads(capfd.readouterr().out)
    counts = summary["camera_statistics"]
    assert summary["balanced"]
    assert summary["health"]["missed-trigger"] == counts["missed_triggers"] <= 1
    assert counts["triggers"] == summary["captured"]


def test_the_network_of_a_camera_is_examined(start_fake, tmp_path, monkeypatch, capfd):
    start_fake(0.005)
    monkeypatch.chdir(tmp_path)
    target = f"{AT}?Width=256&Height=256&PixelFormat=Mono16"
    assert run(["camera", target, "--seconds", "1", "--record", "3", "--out", "out", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["bits"] == 16
    assert found["settings"]["Width"] == "256"
    assert found["recording"]["images"] == 3
    findings = {finding["name"]: finding for finding in found["network"]}
    assert findings["packet size"]["value"] == "1400 bytes pass"
    # A busy machine takes few frames in a second, and packets are lost by chance.
    some_lost = findings["missing"]["value"] != "0 packets"
    assert findings["missing"]["state"] == ("poor" if some_lost else "good")
    assert bool(findings["missing"]["next_step"]) == some_lost


def test_numbers_of_pixel_formats_are_aravis_s():
    aravis, _ = load_aravis()
    names = {
        "Mono8": "MONO_8",
        "Mono10": "MONO_10",
        "Mono12": "MONO_12",
        "Mono14": "MONO_14",
        "Mono16": "MONO_16",
        "Mono10Packed": "MONO_10_PACKED",
        "Mono12Packed": "MONO_12_PACKED",
        "RGB8": "RGB_8_PACKED",
        "BGR8": "BGR_8_PACKED",
        "RGBa8": "RGBA_8_PACKED",
        "BGRa8": "BGRA_8_PACKED",
        "YUV422_8": "YUV_422_YUYV_PACKED",
        "YUV422_8_UYVY": "YUV_422_PACKED",
    }
    for tile in ("GR", "RG", "GB", "BG"):
        for depth in ("8", "10", "12", "16", "10P", "12P", "12_PACKED"):
            names[f"Bayer{tile}{_pfnc(depth)}"] = f"BAYER_{tile}_{depth}"
    for name, constant in names.items():
        assert BY_NAME[name].value == getattr(aravis, f"PIXEL_FORMAT_{constant}"), name


def _pfnc(depth: str) -> str:
    return {"10P": "10p", "12P": "12p", "12_PACKED": "12Packed"}.get(depth, depth)
