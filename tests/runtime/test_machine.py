"""Other machines, handed in as file trees."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

import pytest

from runtime import machine


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_an_empty_tree_tells_nothing_and_breaks_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda tool: None)
    activity = machine.read_activity(tmp_path)
    assert activity.busy_s is None
    assert activity.frequencies_mhz == ()
    assert machine.read_memory(tmp_path) == {"total": None, "available": None}
    assert machine.read_gpu(tmp_path) == {"devices": [], "driver": None, "jetson": None}
    assert machine.read_cameras(tmp_path) == []
    assert machine.read_cpu(tmp_path)["governor"] is None


def test_an_x86_server(tmp_path, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    write(
        tmp_path,
        proc__cpuinfo="model name\t: Some CPU\ncpu MHz\t\t: 2600.5\nflags\t\t: sse avx2 avx512f\n",
        proc__meminfo="MemTotal:       1024 kB\nMemAvailable:    512 kB\n",
        proc__stat="cpu  100 0 50 900 10 0 5 7 0 0\n",
    )
    for number, governor in enumerate(("powersave", "powersave")):
        path = tmp_path / f"sys/devices/system/cpu/cpu{number}/cpufreq"
        path.mkdir(parents=True)
        (path / "scaling_governor").write_text(f"{governor}\n")
        (path / "scaling_cur_freq").write_text("1800000\n")
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("x86_pkg_temp\n")
    (zone / "temp").write_text("51000\n")
    cpu = machine.read_cpu(tmp_path)
    assert cpu["model"] == "Some CPU"
    assert cpu["features"] == {
        "AVX2": True,
        "AVX-512": True,
        "VNNI": False,
        "BF16": False,
        "AMX": False,
    }
    assert cpu["governor"] == "powersave"
    assert machine.read_memory(tmp_path) == {"total": 1024 * 1024, "available": 512 * 1024}
    activity = machine.read_activity(tmp_path)
    ticks = os.sysconf("SC_CLK_TCK")
    assert activity.busy_s == pytest.approx(155 / ticks)
    assert activity.steal_s == pytest.approx(7 / ticks)
    assert activity.frequencies_mhz == (1800.0, 1800.0)
    assert activity.temperatures_c == {"x86_pkg_temp": 51.0}


def test_a_jetson(tmp_path, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    monkeypatch.setattr("shutil.which", lambda tool: None)
    write(
        tmp_path,
        proc__cpuinfo="processor\t: 0\nFeatures\t: fp asimd asimddp\n",
        etc__nv_tegra_release="# R36 (release), REVISION: 4.3\n# more\n",
    )
    model = tmp_path / "proc/device-tree/model"
    model.parent.mkdir(parents=True)
    model.write_text("NVIDIA Jetson Orin Nano\0")
    cpu = machine.read_cpu(tmp_path)
    assert cpu["model"] == "NVIDIA Jetson Orin Nano"
    assert cpu["features"] == {"NEON": True, "DotProd": True, "I8MM": False, "BF16": False}
    assert machine.read_gpu(tmp_path)["jetson"] == "R36 (release), REVISION: 4.3"


def test_cameras_come_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 2):
        write(tmp_path, **{f"dev__video{number}": ""})
    write(tmp_path, sys__class__video4linux__video2__name="Line camera\n")
    assert machine.read_cameras(tmp_path) == [
        {"device": "/dev/video2", "name": "Line camera"},
        {"device": "/dev/video10", "name": ""},
    ]


def test_a_broken_driver_tool_counts_as_no_driver(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nexit 9\n")
    tool.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda name: str(tool))
    write(tmp_path, dev__nvidia0="")
    assert machine.read_gpu(tmp_path) == {"devices": ["nvidia0"], "driver": None, "jetson": None}
    tool.write_text("#!/bin/sh\necho 'Tesla T4, 570.12'\n")
    assert machine.read_gpu(tmp_path) == {
        "devices": ["Tesla T4"],
        "driver": "570.12",
        "jetson": None,
    }


def test_versions_are_read_without_an_import():
    found = machine.package_versions(["numpy", "no-such-package-at-all"])
    assert found["numpy"]
    assert found["no-such-package-at-all"] is None


def test_headless_opencv_stands_in_for_opencv(monkeypatch):
    def version(name):
        if "headless" not in name:
            raise importlib.metadata.PackageNotFoundError(name)
        return "4.12"

    monkeypatch.setattr("importlib.metadata.version", version)
    assert machine.package_versions(["opencv-python"]) == {"opencv-python": "4.12"}
