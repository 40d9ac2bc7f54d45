"""Obstacles between a machine and a running TensorRT engine, and their remedies."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OLDEST = (10, 3)
FITTING_PYTHONS = tuple(f"3.{minor}" for minor in range(10, 20))

JETPACK = "sudo apt install nvidia-jetpack"
JETPACK_6 = "update to JetPack 6.1 or newer, whose Python is 3.10 or newer"
SYSTEM_PACKAGES = "python3 -m venv --system-site-packages .venv"


@dataclass(frozen=True)
class Problem:
    """One missing piece and its remedy.

    Args:
        missing: what, in words.
        install: what brings it on this machine.
        jetpack: what brings it on a Jetson.
        x86: what brings it on an x86 machine.
    """

    missing: str
    install: str
    jetpack: str
    x86: str


def find_problems(
    lines: Sequence[Mapping[str, Any]], ending: str, *, there: bool, jetson: bool, root: Path
) -> tuple[Problem, ...]:
    """List what is missing, the first cause first.

    Args:
        lines: of `runtime.gpu.findings`.
        ending: how that process ended, where it did not end by itself.
        there: whether the machine has an NVIDIA device at all.
        jetson: whether it is a Jetson.
        root: the file tree to look for other Pythons' packages in.
    """
    return tuple(
        Problem(missing, jetpack if jetson else x86, jetpack, x86)
        for missing, jetpack, x86 in (
            *_driver(lines, there),
            *_crash(lines, ending),
            *_tensorrt(lines, ending, root),
            *_bindings(lines),
            *_newer_bindings(lines),
        )
    )


_Found = Iterator[tuple[str, str, str]]


def _driver(lines: Sequence[Mapping[str, Any]], there: bool) -> _Found:
    error = next((line["driver_error"] for line in lines if "driver_error" in line), "")
    answered = any("device" in line for line in lines)
    if answered and not error:
        return
    if not there and not answered:
        yield (
            "no NVIDIA device found",
            "flash JetPack 6.1 or newer",
            "install an NVIDIA GPU with compute capability 7.5 or higher, or use --device cpu",
        )
        return
    yield (
        f"the CUDA driver does not respond ({error or 'it said nothing'})",
        f"{JETPACK}, then restart; in a container, --runtime nvidia",
        "sudo apt install nvidia-driver-570, then restart; in a container, --gpus all",
    )


def _crash(lines: Sequence[Mapping[str, Any]], ending: str) -> _Found:
    if not ending:
        return
    stage = next((line["stage"] for line in reversed(lines) if "stage" in line), "")
    yield (
        f"probing {stage or 'the GPU'} {ending}",
        f"{JETPACK}, so that driver, CUDA and TensorRT come from one release",
        "install matching versions of the driver and TensorRT: nvidia-smi shows the newest "
        "CUDA that the driver supports",
    )


def _tensorrt(lines: Sequence[Mapping[str, Any]], ending: str, root: Path) -> _Found:
    told = {line["module"]: line for line in lines if "module" in line}
    works = next((line for line in told.values() if line["version"]), None)
    if works is not None:
        if works["module"] == "tensorrt" and release(works["version"]) < OLDEST:
            yield (
                f"TensorRT {works['version']} is older than 10.3",
                "update to JetPack 6.1 or newer",
                "pip install --upgrade 'edgecl[tensorrt]'",
            )
        yield from _not_served(works, lines)
        return
    broken = next((line for line in told.values() if not line["absent"]), None)
    if broken is not None:
        yield (
            f"{broken['module']} cannot be loaded ({broken['error']})",
            JETPACK,
            "pip install --force-reinstall 'edgecl[tensorrt]'",
        )
    elif told or not ending:
        yield _no_tensorrt(root)


def known_capabilities(trt: Any) -> dict[str, Any]:
    """Compute capability, as in `8.6`, → its name in TensorRT for RTX; TensorRT itself has none."""
    known = getattr(getattr(trt, "ComputeCapability", None), "__members__", {})
    return {
        f"{name[2:-1]}.{name[-1]}": member
        for name, member in known.items()
        if name.startswith("SM")
    }


def not_served(version: str, serves: Sequence[str], here: str) -> str:
    """Explain why TensorRT for RTX does not run on a GPU; empty where it does.

    It leaves out the GPUs of data centres, such as 9.0; of newer ones it runs on all.

    Args:
        version: TensorRT's.
        serves: the compute capabilities that it tells of itself; none for TensorRT itself.
        here: the GPU's, as in `8.9`; empty where it is not known.
    """
    if not serves or not here or here in serves or release(here) > max(map(release, serves)):
        return ""
    return (
        f"TensorRT for RTX {version} does not support compute capability {here}, only "
        f"{', '.join(serves)}"
    )


def _not_served(works: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> _Found:
    here = next((line["compute_capability"] for line in lines if "compute_capability" in line), "")
    refusal = not_served(works["version"], works.get("serves", ()), here)
    if refusal:
        yield refusal, JETPACK, "pip install 'edgecl[tensorrt]'"


def _no_tensorrt(root: Path) -> tuple[str, str, str]:
    """Return the finding that TensorRT is missing for this Python; JetPack's serves one only."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    x86 = "pip install 'edgecl[tensorrt]'"
    others = sorted(
        path.parent.parent.name.removeprefix("python")
        for path in root.glob("usr/lib/python3*/dist-packages/tensorrt")
    )
    if not others:
        return (
            "TensorRT is not installed",
            f"{JETPACK} python3-libnvinfer, then {SYSTEM_PACKAGES}",
            x86,
        )
    if own in others or "3" in others:
        return (
            "TensorRT is a system package, which this environment cannot see",
            f"recreate the environment: {SYSTEM_PACKAGES}",
            f"recreate the environment: {SYSTEM_PACKAGES}; or {x86}",
        )
    fit = [version for version in others if version in FITTING_PYTHONS]
    environment = SYSTEM_PACKAGES.replace("python3", f"python{fit[0]}") if fit else ""
    return (
        f"TensorRT is installed for Python {', '.join(others)}, but this is Python {own}",
        f"create the environment with that Python: {environment}" if fit else JETPACK_6,
        x86,
    )


def _bindings(lines: Sequence[Mapping[str, Any]]) -> _Found:
    told = {name: line for line in lines for name in line.get("bindings", {})}
    if not told or any(line["bindings"][name] for name, line in told.items()):
        return
    broken = [
        f"{name}: {line['error']}" for name, line in told.items() if not line.get("absent", True)
    ]
    yield (
        "neither pycuda nor cuda-bindings can be imported"
        + (f" ({'; '.join(broken)})" if broken else ""),
        f"PATH=/usr/local/cuda/bin:$PATH pip install pycuda, or {_fitting(lines)}",
        f"{_fitting(lines)}; or, with the CUDA toolkit, pip install pycuda",
    )


def _newer_bindings(lines: Sequence[Mapping[str, Any]]) -> _Found:
    """Yield a finding if cuda-bindings are newer than the driver's CUDA."""
    told = {name: value for line in lines for name, value in line.get("bindings", {}).items()}
    version, cuda = told.get("cuda-bindings", ""), _cuda(lines)
    if told.get("pycuda") or not (cuda and version[:1].isdigit()):
        return
    if int(version.split(".")[0]) > int(cuda.split(".")[0]):
        yield (
            f"cuda-bindings {version} is newer than the driver, which supports CUDA {cuda}",
            _fitting(lines),
            _fitting(lines),
        )


def _fitting(lines: Sequence[Mapping[str, Any]]) -> str:
    cuda = _cuda(lines)
    below = f",<{int(cuda.split('.')[0]) + 1}" if cuda else ""
    return f"pip install 'cuda-bindings>=12.8{below}'"


def _cuda(lines: Sequence[Mapping[str, Any]]) -> str:
    """The newest CUDA that the driver serves; empty where no driver answers."""
    return next((str(line["cuda"]) for line in lines if "cuda" in line), "")


def release(version: str) -> tuple[int, ...]:
    """The first two numbers of a TensorRT version, to be compared with `OLDEST`."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
