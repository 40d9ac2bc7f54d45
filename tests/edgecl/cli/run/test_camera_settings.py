"""`edgecl run --set` and `[camera.set]`, on a video device that takes settings."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from edgecl.cli.shell import run
from tests.runtime.camera.video_device import VideoDevice, plugged

FILE = """
[camera]
camera = "0"
frames = 3
[camera.set]
ExposureAuto = "Off"
ExposureTime = 500
Gain = 2.5
"""


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch, make_bundle) -> None:
    make_bundle(tmp_path / "tiny.edgecl")
    monkeypatch.chdir(tmp_path)


def last_line(capsys) -> str:
    line: str = capsys.readouterr().err.splitlines()[-1]
    return line


def test_the_table_sets_the_camera_and_the_summary_tells(monkeypatch, capsys):
    device = VideoDevice(rounds={cv2.CAP_PROP_GAIN: 3.0})
    plugged(monkeypatch, device)
    Path("line.toml").write_text(FILE)
    assert (
        run(["run", "--config", "line.toml", "--engine", "onnxruntime", "--out", "o", "--json"])
        == 0
    )
    summary = json.loads(capsys.readouterr().out)
    assert summary["camera_settings"]["ExposureTime"] == "500"
    assert summary["camera_settings"]["ExposureAuto"] == "Off"
    assert summary["notes"][0] == "the camera made Gain 3, not 2.5"
    assert (cv2.CAP_PROP_EXPOSURE, 5.0) in device.told
    kept = Path("o/config.toml").read_text()
    assert 'set = { ExposureAuto = "Off", ExposureTime = "500", Gain = "2.5" }' in kept


def test_the_command_line_goes_before_the_table_and_comes_back(capsys):
    Path("line.toml").write_text(FILE)
    arguments = ["run", "--config", "line.toml", "--set", "Gain=7", "--print-config"]
    assert run(arguments) == 0
    printed = capsys.readouterr().out
    assert 'set = { Gain = "7" }' in printed
    Path("again.toml").write_text(printed.replace("Gain", "ReverseX = true, Gain"))
    assert run(["run", "--config", "again.toml", "--print-config"]) == 0
    assert 'set = { ReverseX = "true", Gain = "7" }' in capsys.readouterr().out
    Path("again.toml").write_text(printed)
    assert run(["run", "--config", "again.toml", "--print-config"]) == 0
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("set = 3", "camera.set is 3, not a table"),
        ('set = ["Gain=1"]', "camera.set is a list, not a table"),
        ("[camera.set]\nGain = [1]", "camera.set.Gain is a list, not a number or a text"),
        ("[camera.set]\nGain = nan", "camera.set.Gain is nan, not a number or a text"),
        ('[camera.set]\n"Exposure Time" = 1', "is not FEATURE=VALUE"),
        ('[camera.set]\nGain = ""', "is not FEATURE=VALUE"),
    ],
)
def test_a_mistake_in_the_table_is_told_with_its_place(capsys, table, said):
    Path("line.toml").write_text(f'[camera]\ncamera = "demo"\n{table}\n')
    assert run(["run", "--config", "line.toml"]) == 2
    line = last_line(capsys)
    assert "line.toml:" in line
    assert said in line


def test_a_camera_without_settings_and_a_text_without_value(capsys):
    assert run(["run", "--camera", "demo", "--set", "Gain=1"]) == 2
    assert "camera demo takes no settings" in last_line(capsys)
    assert run(["run", "--camera", "demo", "--set", "Gain"]) == 2
    assert "--set 'Gain' is not FEATURE=VALUE" in last_line(capsys)
    assert run(["camera", "demo", "--set", "Gain=1"]) == 2
    assert "camera demo takes no settings" in last_line(capsys)
    assert run(["camera", "demo", "--set", "Gain=1", "--set", "Gain=2"]) == 2
    assert "Gain is set twice" in last_line(capsys)
