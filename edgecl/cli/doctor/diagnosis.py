"""Findings of `edgecl doctor`: plain values, one section per purpose.

Nothing heavy is imported. torch's version is read from its metadata, and the GPU is looked at in a
process of its own: without a driver TensorRT can take the whole process down.
"""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgecl import __version__
from edgecl.cli.doctor.camera_libraries import camera_library_rows
from edgecl.cli.doctor.gpu import gpu_rows
from edgecl.cli.doctor.row import MISSING, NOTE, OK, Row
from runtime.gpu.probe import probe, probe_gpu
from runtime.machine import package_versions, read_cameras, read_cpu, read_gpu, read_memory
from runtime.session.spec import ENGINES, TENSORRT

# purpose → (what it is for, packages, the command that brings them)
PURPOSES: Mapping[str, tuple[str, Sequence[str], str]] = {
    "run": (
        "Judging frames: edgecl run, bench, inspect",
        (
            "numpy",
            "opencv-python",
            "simplejpeg",
            "msgspec",
            "onnxruntime",
            "click",
            "rich",
            "jinja2",
            "matplotlib",
        ),
        "pip install edgecl",
    ),
    "train": (
        "Training: edgecl train",
        ("torch", "safetensors", "scikit-learn"),
        "pip install 'edgecl[train]'",
    ),
    "export": (
        "Exporting: edgecl export",
        ("torch", "onnx", "onnxscript", "scipy", "sympy"),
        "pip install 'edgecl[train]'",
    ),
    "tensorboard": (
        "Watching training: edgecl train --tensorboard",
        ("tensorboard",),
        "pip install 'edgecl[tensorboard]'",
    ),
    "sign": (
        "Signed bundles: edgecl export --sign, --verify-key",
        ("cryptography",),
        "pip install 'edgecl[sign]'",
    ),
    "genicam": (
        "Cameras of GenTL producers: --camera gentl:…",
        ("harvesters", "genicam"),
        "pip install 'edgecl[genicam]'",
    ),
    **{
        spec.name: (spec.purpose, spec.distributions, spec.install)
        for spec in (ENGINES[name] for name in ENGINES)
        if spec.name != "onnxruntime"  # comes with edgecl
    },
}


def diagnose(root: Path = Path("/")) -> dict[str, Any]:
    """Look at this machine.

    Args:
        root: the file tree to read, for tests.

    Returns:
        `edgecl`, `python`, `purposes` (name → ready, missing, install), the raw readings of
        `cpu`, `memory`, `gpu` (with the `probe` of it) and `cameras`, and `sections` for people.
    """
    cpu, memory, gpu, cameras = (
        read_cpu(root),
        read_memory(root),
        read_gpu(root),
        read_cameras(root),
    )
    probed = probe_gpu() if root == Path("/") else probe(root)
    purposes = {name: _purpose(name) for name in PURPOSES}
    purposes[TENSORRT.name] |= {
        "ready": probed.ready,
        "broken": probed.problems[0].missing if probed.problems else "",
    }
    disk = shutil.disk_usage(Path.cwd())
    sections: list[tuple[str, list[Row]]] = [
        ("Machine", _machine_rows(cpu, memory, disk.free)),
        *(
            (PURPOSES[name][0], _package_rows(purpose))
            for name, purpose in purposes.items()
            if name != TENSORRT.name
        ),
        (PURPOSES[TENSORRT.name][0], gpu_rows(probed)),
        ("Cameras", [*_camera_rows(cameras), *camera_library_rows()]),
    ]
    return {
        "edgecl": __version__,
        "python": platform.python_version(),
        "purposes": purposes,
        "cpu": cpu,
        "memory": memory,
        "disk": {"folder": str(Path.cwd()), "free": disk.free},
        "gpu": {**gpu, "probe": probed.to_json()},
        "cameras": cameras,
        "sections": [
            {"title": title, "rows": [asdict(row) for row in rows]} for title, rows in sections
        ],
    }


def _purpose(name: str) -> dict[str, Any]:
    _, packages, install = PURPOSES[name]
    versions = package_versions(packages)
    missing = [package for package, version in versions.items() if version is None]
    return {
        "ready": not missing,
        "packages": versions,
        "missing": missing,
        "broken": "",
        "install": install,
    }


def _package_rows(purpose: Mapping[str, Any]) -> list[Row]:
    return [
        Row(package, OK, version)
        if version
        else Row(package, MISSING, "not installed", purpose["install"])
        for package, version in purpose["packages"].items()
    ]


def _machine_rows(
    cpu: Mapping[str, Any], memory: Mapping[str, int | None], disk_free: int
) -> list[Row]:
    usable = cpu["usable_cores"] or cpu["cores"]
    cores = f"{usable} cores"
    if cpu["cores"] and usable != cpu["cores"]:
        cores += f" available to this process, of {cpu['cores']}"
    has = [name for name, there in cpu["features"].items() if there]
    lacks = [name for name, there in cpu["features"].items() if not there]
    total, available = memory["total"], memory["available"]
    rows = [
        Row("edgecl", OK, __version__),
        Row("Python", OK, f"{platform.python_version()}, {sys.executable}"),
        Row("processor", OK, f"{cpu['model']}, {cpu['architecture']}, {cores}"),
        Row(
            "instructions",
            OK if has else NOTE,
            f"{', '.join(has) or 'none that matter here'}"
            + (f" (missing: {', '.join(lacks)})" if lacks else ""),
        ),
        Row(
            "memory",
            OK if total else NOTE,
            f"{_gib(total)}, {_gib(available)} available" if total and available else "unknown",
        ),
        Row("disk", OK, f"{_gib(disk_free)} free here"),
    ]
    if cpu["governor"] and cpu["governor"] != "performance":
        rows.append(
            Row(
                "clock governor",
                NOTE,
                f"{cpu['governor']}: latency varies with load",
                "sudo cpupower frequency-set -g performance",
            )
        )
    return rows


def _camera_rows(cameras: Sequence[Mapping[str, str]]) -> list[Row]:
    if not cameras:
        return [
            Row(
                "video devices",
                MISSING,
                "none",
                "plug one in, or try 'edgecl run --camera demo' or --camera FILE",
            )
        ]
    return [Row(camera["device"], OK, camera["name"] or "unnamed") for camera in cameras]


def _gib(count: int | None) -> str:
    return "unknown" if count is None else f"{count / 2**30:.1f} GiB"
