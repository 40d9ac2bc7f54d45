"""The look at the GPU: it survives what it looks at, and names what is missing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from export.engine.target import target_of
from runtime.errors import InputError
from runtime.gpu import findings as device_findings
from runtime.gpu.findings import MARK
from runtime.gpu.probe import has_device, judge, probe, probe_gpu

Lines = list[dict[str, Any]]

NOTHING: dict[str, Any] = {"devices": [], "driver": None, "jetson": None}
T4 = {"devices": ["Tesla T4"], "driver": "570.86", "jetson": None}
JETSON = {"devices": [], "driver": "540.4", "jetson": "R36 (release), REVISION: 4.0"}

DRIVER: Lines = [
    {"stage": "the CUDA driver"},
    {"cuda": "12.6"},
    {"device": "Orin", "compute_capability": "8.7", "devices": 1},
    {"free_memory": 5 * 2**30, "total_memory": 8 * 2**30},
]
PYCUDA: Lines = [{"bindings": {"pycuda": "2026.1"}}, {"bindings": {"cuda-bindings": "12.6.2"}}]
NO_BINDINGS: Lines = [
    {"bindings": {name: ""}, "error": f"No module named '{name}'", "absent": True}
    for name in ("pycuda", "cuda-bindings")
]
TENSORRT: Lines = [{"stage": "tensorrt"}, {"module": "tensorrt", "version": "10.3.0"}]
NO_TENSORRT: Lines = [
    {"module": name, "version": "", "error": f"No module named '{name}'", "absent": True}
    for name in ("tensorrt", "tensorrt_rtx")
]


def looked(monkeypatch, tmp_path, body: str, seconds: float = 20.0):
    """A probe whose other process runs `body`, with `tell` at hand."""
    (tmp_path / "looking.py").write_text(f"from runtime.gpu.findings import tell\n{body}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return probe(tmp_path, seconds=seconds, findings="looking")


def missing(found) -> list[str]:
    return [problem.missing for problem in found.problems]


def test_this_machine_is_looked_at_once_and_loads_nothing_here():
    code = (
        "import sys; from runtime.gpu.probe import probe_gpu\n"
        "one, two = probe_gpu(), probe_gpu()\n"
        "assert one is two\n"
        "sys.exit(bool({'tensorrt', 'tensorrt_rtx', 'pycuda', 'cuda', 'numpy'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    found = probe_gpu()
    json.dumps(found.to_json())
    assert found.ready == (not found.problems)


def test_a_jetson_with_everything_is_ready(tmp_path):
    found = judge([*DRIVER, *PYCUDA, *TENSORRT], "", JETSON, tmp_path)
    assert found.ready
    assert (found.module, found.tensorrt, found.memory) == ("tensorrt", "10.3.0", "pycuda 2026.1")
    assert (found.device, found.compute_capability, found.cuda) == ("Orin", "8.7", "12.6")
    assert (found.free_memory, found.total_memory) == (5 * 2**30, 8 * 2**30)
    assert found.jetson.startswith("R36")


def test_cuda_bindings_serve_where_pycuda_is_not(tmp_path):
    lines = [*DRIVER, NO_BINDINGS[0], PYCUDA[1], *TENSORRT]
    assert judge(lines, "", T4, tmp_path).memory == "cuda-bindings 12.6.2"


def test_bindings_of_a_newer_cuda_than_the_drivers_are_named(tmp_path):
    newer = {"bindings": {"cuda-bindings": "13.5.0"}}
    found = judge([*DRIVER, NO_BINDINGS[0], newer, *TENSORRT], "", T4, tmp_path)
    assert missing(found) == [
        "cuda-bindings 13.5.0 is newer than the driver, which supports CUDA 12.6"
    ]
    assert found.problems[0].install == "pip install 'cuda-bindings>=12.8,<13'"
    assert judge([*DRIVER, PYCUDA[0], newer, *TENSORRT], "", T4, tmp_path).ready


def test_tensorrt_for_rtx_serves_where_tensorrt_is_not(tmp_path):
    rtx: dict[str, Any] = {"module": "tensorrt_rtx", "version": "1.7.1.116"}
    found = judge([*DRIVER, *PYCUDA, NO_TENSORRT[0], rtx], "", T4, tmp_path)
    assert (found.module, found.tensorrt) == ("tensorrt_rtx", "1.7.1.116")
    assert found.ready


@pytest.mark.parametrize(
    ("here", "served"), [("7.5", True), ("8.7", False), ("9.0", False), ("12.2", True)]
)
def test_tensorrt_for_rtx_serves_the_gpus_that_it_knows_and_newer_ones(tmp_path, here, served):
    """As it does: "compute capability 9.0. Supported compute capabilities: 8.0 … 12.1 >12.0"."""
    rtx = {"module": "tensorrt_rtx", "version": "1.7.1.116", "serves": ["7.5", "8.6", "12.1"]}
    driver = [
        {**line, **({"compute_capability": here} if "device" in line else {})} for line in DRIVER
    ]
    found = judge([*driver, *PYCUDA, NO_TENSORRT[0], rtx], "", T4, tmp_path)
    assert found.ready is served
    if served:
        assert target_of(found).compute_capability == here
        return
    line = f"does not support compute capability {here}, only 7.5, 8.6, 12.1"
    assert line in missing(found)[0]
    with pytest.raises(InputError, match=re.escape(line)):
        target_of(found)


def test_no_device_is_the_first_problem(tmp_path):
    error: dict[str, Any] = {"driver_error": "libcuda.so.1: cannot open shared object file"}
    found = judge([error, *NO_BINDINGS, *NO_TENSORRT], "", NOTHING, tmp_path)
    assert missing(found) == [
        "no NVIDIA device found",
        "TensorRT is not installed",
        "neither pycuda nor cuda-bindings can be imported",
    ]
    assert "--device cpu" in found.problems[0].install


def test_a_device_without_a_driver(tmp_path):
    error: dict[str, Any] = {"driver_error": "cuInit: unknown error (999)"}
    found = judge([error, *PYCUDA, *TENSORRT], "", T4, tmp_path)
    assert missing(found) == ["the CUDA driver does not respond (cuInit: unknown error (999))"]
    assert "nvidia-driver" in found.problems[0].install
    on_jetson = judge([error, *PYCUDA, *TENSORRT], "", JETSON, tmp_path)
    assert "nvidia-jetpack" in on_jetson.problems[0].install
    assert on_jetson.problems[0].x86 == found.problems[0].install


def test_every_problem_says_what_brings_it_on_both(tmp_path):
    found = judge([*DRIVER, *NO_BINDINGS, *NO_TENSORRT], "", JETSON, tmp_path)
    assert len(found.problems) == 2
    for problem in found.problems:
        assert problem.install == problem.jetpack
        assert problem.x86
    assert "--system-site-packages" in found.problems[0].install
    assert "pycuda" in found.problems[1].install


@pytest.mark.parametrize(
    ("python", "named", "hint"),
    [
        ("python3.6", "is installed for Python 3.6, but this is Python", "update to JetPack 6.1"),
        ("python3.19", "is installed for Python 3.19, but this is Python", "python3.19 -m venv"),
        (
            f"python{sys.version_info.major}.{sys.version_info.minor}",
            "a system package, which this environment cannot see",
            "--system-site-packages",
        ),
        ("python3", "a system package", "--system-site-packages"),
    ],
)
def test_jetpacks_bindings_of_another_python_or_out_of_sight(tmp_path, python, named, hint):
    (tmp_path / "usr/lib" / python / "dist-packages/tensorrt").mkdir(parents=True)
    found = judge([*DRIVER, *PYCUDA, *NO_TENSORRT], "", JETSON, tmp_path)
    assert named in missing(found)[0]
    assert hint in found.problems[0].install


def test_a_tensorrt_that_is_too_old_or_broken(tmp_path):
    old: dict[str, Any] = {"module": "tensorrt", "version": "8.6.1"}
    assert missing(judge([*DRIVER, *PYCUDA, old], "", T4, tmp_path)) == [
        "TensorRT 8.6.1 is older than 10.3"
    ]
    broken: dict[str, Any] = {
        "module": "tensorrt",
        "version": "",
        "error": "libnvinfer.so.10",
        "absent": False,
    }
    assert missing(judge([*DRIVER, *PYCUDA, broken], "", T4, tmp_path)) == [
        "tensorrt cannot be loaded (libnvinfer.so.10)"
    ]


def test_broken_bindings_say_why(tmp_path):
    broken: dict[str, Any] = {
        "bindings": {"pycuda": ""},
        "error": "libcurand.so.10: no file",
        "absent": False,
    }
    found = judge([*DRIVER, broken, NO_BINDINGS[1], *TENSORRT], "", T4, tmp_path)
    assert missing(found) == [
        "neither pycuda nor cuda-bindings can be imported (pycuda: libcurand.so.10: no file)"
    ]


def test_it_survives_a_crash_and_keeps_what_was_told_before(monkeypatch, tmp_path):
    body = (
        "import os\n"
        "tell(stage='tensorrt', cuda='12.6', device='Orin', compute_capability='8.7')\n"
        "print('chatter of a library')\n"
        "os.kill(os.getpid(), 11)\n"
    )
    found = looked(monkeypatch, tmp_path, body)
    assert missing(found) == ["probing tensorrt killed the process (signal 11)"]
    assert found.device == "Orin"
    assert not found.ready


def test_it_survives_a_hang_and_half_a_line(monkeypatch, tmp_path):
    body = (
        "import sys, time\n"
        "tell(stage='the CUDA driver', cuda='12.6')\n"
        f'sys.stdout.write({MARK!r} + \'{{"device": "Or\')\n'
        "sys.stdout.flush()\n"
        "time.sleep(60)\n"
    )
    found = looked(monkeypatch, tmp_path, body, seconds=1.0)
    assert "probing the CUDA driver took more than 1 s" in missing(found)
    assert (found.cuda, found.device) == ("12.6", "")


def test_what_it_tells_is_read_back(capsys):
    device_findings.look_at_bindings("json", "json")
    device_findings.look_at_bindings("absent", "no_such_module")
    assert not device_findings.look_at_driver("libabsent.so.1")
    lines = [
        json.loads(line.removeprefix(MARK))
        for line in capsys.readouterr().out.splitlines()
        if line.startswith(MARK)
    ]
    assert lines[0] == {"bindings": {"json": "of unknown version"}}
    assert lines[1]["absent"] is True
    assert "libabsent.so.1" in lines[2]["driver_error"]


def test_a_tensorrt_module_is_made_to_work_only_where_a_driver_does(monkeypatch, capsys):
    class Broken:
        __version__ = "10.3.0"

    monkeypatch.setitem(sys.modules, "tensorrt", Broken)
    device_findings.look_at_tensorrt("tensorrt", driver_works=False)
    assert '"version": "10.3.0"' in capsys.readouterr().out
    device_findings.look_at_tensorrt("tensorrt", driver_works=True)
    assert '"version": ""' in capsys.readouterr().out


@pytest.mark.parametrize("file", ["dev/nvidia0", "dev/nvhost-gpu", "etc/nv_tegra_release"])
def test_a_device_is_known_by_its_files(tmp_path, file):
    assert not has_device(tmp_path)
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text("")
    assert has_device(tmp_path)


def test_a_process_that_cannot_be_started(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    assert "could not be started" in missing(probe(tmp_path))[-1]
