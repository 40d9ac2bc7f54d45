"""`edgecl camera` as a user calls it, on every kind of source that needs no hardware."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run as edgecl
from edgecl.data.reading import read_unlabelled
from runtime.artifact.contract import InputContract
from runtime.camera.examination.document import CameraReport
from runtime.files.document import parse_document
from tests.runtime.camera.http_camera import serving


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def reported(capfd, *arguments: object) -> dict[str, Any]:
    assert edgecl(["camera", *map(str, arguments), "--json"]) == 0, capfd.readouterr().err
    found: dict[str, Any] = json.loads(capfd.readouterr().out)
    assert parse_document(found, CameraReport, where="output").frames == found["frames"]
    return found


def refused(capfd, *arguments: object, code: int = 2) -> str:
    assert edgecl(["camera", *map(str, arguments)]) == code
    line: str = capfd.readouterr().err.splitlines()[-1]
    assert line.startswith("edgecl: ")
    return line


def deep_images(folder: Path, count: int = 5) -> Path:
    folder.mkdir()
    for number in range(count):
        pixels = np.full((20, 30), 100 + number, np.uint16)
        pixels[0, 0] = 4000
        cv2.imwrite(str(folder / f"{number}.png"), pixels)
    return folder


def test_the_demo_line_is_measured(capfd):
    found = reported(capfd, "demo", "--seconds", 0.5, "--fps", 40)
    assert found["live"]
    assert found["frames"] > 2
    assert found["frames_per_second"] > 0
    assert found["intervals"]["p99_ms"] >= found["intervals"]["p50_ms"]
    assert found["sizes"][0]["channels"] == 1
    assert 0 < found["light"]["brightness"] < 1
    assert found["network"] is None


def test_a_recording_of_a_folder_keeps_its_depth_and_trains(capfd):
    deep_images(Path("in"))
    found = reported(capfd, "in", "--record", 4, "--out", "out", "--snapshot", "last.png")
    assert found["frames"] == 5
    assert found["recording"] == {"folder": "out", "images": 4, "skipped": 0}
    recorded = sorted(Path("out").iterdir())
    assert len(recorded) == 4
    for number, path in enumerate(recorded):
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        before = cv2.imread(f"in/{number}.png", cv2.IMREAD_UNCHANGED)
        assert image is not None
        assert before is not None
        assert np.array_equal(image, before)
    last = cv2.imread("last.png", cv2.IMREAD_UNCHANGED)
    assert last is not None
    assert last.dtype == np.uint16
    images = read_unlabelled([Path("out")], InputContract(height=16, width=16))
    assert len(images.files) == 4


def test_bits_make_a_dark_frame_no_brighter(capfd):
    deep_images(Path("in"), 1)
    assert reported(capfd, "in", "--bits", 16)["light"]["brightness"] < 0.01
    assert reported(capfd, "in")["light"]["brightness"] > 0.02  # 12 bits, from the values


def test_a_video_and_an_http_camera(capfd):
    writer = cv2.VideoWriter(
        "line.avi", cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter.fourcc(*"MJPG"), 30.0, (64, 48)
    )
    for level in range(12):
        writer.write(np.full((48, 64, 3), 20 * level, np.uint8))
    writer.release()
    assert reported(capfd, "line.avi")["frames"] == 12
    part = cv2.imencode(".jpg", np.full((48, 64), 128, np.uint8))[1].tobytes()
    with serving([part]) as server:
        address = f"http://admin:geheim@{server.at}/stream"
        found = reported(capfd, address, "--seconds", 0.5, "--record", 3)
    assert found["frames"] >= 3
    assert "geheim" not in json.dumps(found)
    assert found["recording"]["images"] == 3
    assert len(list(Path(found["recording"]["folder"]).iterdir())) == 3


def test_the_report_on_the_terminal(capfd):
    deep_images(Path("in"))
    assert edgecl(["camera", "in", "--bits", "12", "--snapshot", "s.png"]) == 0
    out = capfd.readouterr().out
    for words in (
        "30×20 gray, uint16, 12 bits used",
        "frames/s",
        "0 frames lost, 0 faulty",
        "s.png",
    ):
        assert words in out


def test_what_cannot_be_used_is_told(capfd):
    assert "no such file, folder or device" in refused(capfd, "nothing")
    assert "--snapshot s.jpg is not a PNG file" in refused(capfd, "demo", "--snapshot", "s.jpg")
    assert "add --record" in refused(capfd, "demo", "--out", "o")
    assert "has no triggered mode" in refused(capfd, "demo", "--trigger", "software")
    assert "aravis-tools-cli" in refused(capfd, "aravis:") or "opened" in refused(capfd, "aravis:")
    Path("broken").mkdir()
    Path("broken/a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    line = refused(capfd, "broken")
    assert "none of 1 frame of images in broken can be used" in line


def test_a_file_in_the_way_of_the_folder_is_told_before_the_camera_is_opened(capfd):
    Path("o").write_text("")
    assert "cannot write o/p" in refused(capfd, "nothing", "--record", 1, "--out", "o/p")
