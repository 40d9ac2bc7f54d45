"""`edgecl doctor`: finds what is there, names what brings the rest, and never fails."""

from __future__ import annotations

import json
import subprocess
import sys

from edgecl.cli import diagnosis
from edgecl.cli.shell import run as edgecl
from runtime.machine import package_versions


def rows(found) -> dict[str, dict[str, str]]:
    return {row["name"]: row for section in found["sections"] for row in section["rows"]}


def test_it_prints_and_exits_0(capfd):
    assert edgecl(["doctor"]) == 0
    text = capfd.readouterr().out
    for part in ("Python", "onnxruntime", "processor", "Cameras"):
        assert part in text


def test_json(capfd):
    assert edgecl(["doctor", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["purposes"]["run"]["ready"] is True
    assert found["cpu"]["cores"] >= 1
    assert {"cameras", "gpu", "memory", "disk", "python", "edgecl"} <= set(found)


def test_nothing_heavy_is_imported():
    code = (
        "import sys; from edgecl.cli.shell import run; run(['doctor', '--json']);"
        "sys.exit(bool({'torch', 'tensorrt', 'openvino', 'onnxruntime'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0


def test_what_is_missing_names_the_command_that_brings_it(tmp_path, monkeypatch):
    monkeypatch.setattr(diagnosis, "package_versions", lambda names: dict.fromkeys(names))
    found = diagnosis.diagnose(tmp_path)
    for name, purpose in found["purposes"].items():
        assert not purpose["ready"], name
        assert purpose["install"].startswith("pip install")
    assert all(row["mend"] for row in rows(found).values() if row["state"] == "missing")


def test_headless_opencv_counts(monkeypatch):
    def versions(names):
        return {name: "4.12" if "headless" in name else None for name in names}

    monkeypatch.setattr(diagnosis, "package_versions", versions)
    assert diagnosis._purpose("run")["packages"]["opencv-python"] == "4.12"


def test_tensorrt_is_of_no_use_without_a_device_and_missing_with_one(tmp_path, monkeypatch):

    def without(names):
        return {
            name: None if name in ("tensorrt", "pycuda") else version
            for name, version in package_versions(names).items()
        }

    monkeypatch.setattr(diagnosis, "package_versions", without)
    none: dict[str, object] = {"devices": [], "driver": None, "jetson": None}
    monkeypatch.setattr(diagnosis, "read_gpu", lambda root: none)
    assert rows(diagnosis.diagnose(tmp_path))["tensorrt"]["state"] == "note"
    present = {"devices": ["Tesla T4"], "driver": None, "jetson": None}
    monkeypatch.setattr(diagnosis, "read_gpu", lambda root: present)
    found = rows(diagnosis.diagnose(tmp_path))
    assert found["tensorrt"]["state"] == found["driver"]["state"] == "missing"


def test_a_library_that_crashes_takes_only_its_own_process_down(tmp_path, monkeypatch):
    (tmp_path / "crashes.py").write_text("import os\nos.kill(os.getpid(), 11)\n")
    (tmp_path / "raises.py").write_text("raise ImportError('no libnvinfer.so')\n")
    (tmp_path / "hangs.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert diagnosis.probe_import("json") == ""
    assert "signal 11" in diagnosis.probe_import("crashes")
    assert "no libnvinfer.so" in diagnosis.probe_import("raises")
    assert "more than 0.5 s" in diagnosis.probe_import("hangs", seconds=0.5)


def test_cameras_are_listed(tmp_path):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/video0").write_text("")
    assert rows(diagnosis.diagnose(tmp_path))["/dev/video0"]["value"] == "unnamed"
