"""`edgecl doctor`: finds what is there, names what brings the rest, and never fails."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from edgecl.cli.doctor import diagnosis
from edgecl.cli.doctor.camera_libraries import LIBRARIES, rows_of
from edgecl.cli.doctor.gpu import gpu_rows
from edgecl.cli.shell import run as edgecl
from runtime.gpu.probe import judge


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
    assert all(row["hint"] for row in rows(found).values() if row["state"] == "missing")


def test_tensorrt_is_of_no_use_without_a_device_and_missing_with_one(tmp_path):
    nothing = judge([], "", {"devices": [], "driver": None, "jetson": None}, tmp_path)
    states = {row.name: row.state for row in gpu_rows(nothing)}
    assert states == {"device": "note", "tensorrt": "note"}
    box = {"devices": ["Tesla T4"], "driver": "570.86", "jetson": None}
    present = judge([{"device": "Tesla T4", "compute_capability": "7.5"}], "", box, tmp_path)
    found = gpu_rows(present)
    assert [row.value for row in found if row.state == "missing"] == ["TensorRT is not installed"]
    assert all(row.hint for row in found if row.state == "missing")


def test_a_gpu_that_is_ready_is_told_whole(tmp_path):
    lines: list[dict[str, Any]] = [
        {"cuda": "12.6", "device": "Orin", "compute_capability": "8.7"},
        {"free_memory": 3 * 2**30, "total_memory": 8 * 2**30},
        {"bindings": {"pycuda": "2026.1"}},
        {"module": "tensorrt", "version": "10.3.0"},
    ]
    box = {"devices": [], "driver": "540.4.0", "jetson": "R36 (release)"}
    values = {row.name: row.value for row in gpu_rows(judge(lines, "", box, tmp_path))}
    assert values == {
        "Jetson": "R36 (release)",
        "device": "Orin, compute capability 8.7, 3.0 of 8.0 GiB of memory free",
        "driver": "540.4.0",
        "CUDA": "12.6, the newest supported by the driver",
        "tensorrt": "10.3.0",
        "memory": "pycuda 2026.1",
    }


def test_cameras_are_listed(tmp_path):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/video0").write_text("")
    assert rows(diagnosis.diagnose(tmp_path))["/dev/video0"]["value"] == "unnamed"


def test_libraries_of_cameras_are_found_or_name_their_packages():
    there = rows_of([["1.0"], ["0.6", "0.8"]])
    assert [row.state for row in there] == ["ok", "ok"]
    old = rows_of([["1.0"], ["0.6"]])
    assert [row.state for row in old] == ["ok", "note"]
    assert "not installed" in old[1].value
    for row, (*_, packages) in zip(rows_of(None), LIBRARIES, strict=True):
        assert "PyGObject" in row.value
        assert packages in row.hint


def test_both_libraries_have_a_row(capfd):
    assert edgecl(["doctor", "--json"]) == 0
    found = rows(json.loads(capfd.readouterr().out))
    for name in ("GStreamer", "Aravis"):
        assert found[name]["state"] == "ok" or "apt install" in found[name]["hint"]
