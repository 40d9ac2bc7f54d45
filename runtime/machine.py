"""Facts and activity of this machine, read from /proc and /sys; nothing is changed.

Every function takes the root of the file tree, so that tests can hand in another machine's.
What cannot be read is None or empty, never a guess.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path("/")

# The instructions that decide how fast a network runs on a CPU, as /proc/cpuinfo spells them.
CPU_FEATURES = {
    "AVX2": ("avx2",),
    "AVX-512": ("avx512f",),
    "VNNI": ("avx512_vnni", "avx_vnni"),
    "BF16": ("avx512_bf16", "bf16"),
    "AMX": ("amx_int8", "amx_bf16"),
    "NEON": ("asimd", "neon"),
    "DotProd": ("asimddp",),
    "I8MM": ("i8mm",),
}
_X86_FEATURES = ("AVX2", "AVX-512", "VNNI", "BF16", "AMX")
_ARM_FEATURES = ("NEON", "DotProd", "I8MM", "BF16")


@dataclass(frozen=True)
class Activity:
    """Activity of the machine up to now, for taking a difference of two moments.

    Args:
        busy_s: CPU seconds spent by all processes; None where /proc/stat is absent.
        steal_s: CPU seconds that the hypervisor gave to other guests; None likewise.
        own_s: CPU seconds of this process.
        throttles: times a core was slowed by heat or power; None where not counted.
        load: load average over one minute; None where there is none.
        frequencies_mhz: current clock of each core that tells it.
        temperatures_c: degrees Celsius per thermal zone.
        major_faults: pages that this process had to read from a disk; None where not counted.
        swapped_pages: pages that the machine swapped in or out; None likewise.
    """

    busy_s: float | None
    steal_s: float | None
    own_s: float
    throttles: int | None
    load: float | None
    frequencies_mhz: tuple[float, ...]
    temperatures_c: dict[str, float]
    major_faults: int | None = None
    swapped_pages: int | None = None

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return asdict(self)


def read_activity(root: Path = ROOT) -> Activity:
    """Read the counters of this moment."""
    busy, steal = _cpu_seconds(root)
    own = os.times()
    return Activity(
        busy_s=busy,
        steal_s=steal,
        own_s=own.user + own.system,
        throttles=_throttles(root),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        frequencies_mhz=_frequencies(root),
        temperatures_c=_temperatures(root),
        major_faults=_major_faults(root),
        swapped_pages=_swapped_pages(root),
    )


def read_cpu(root: Path = ROOT) -> dict[str, Any]:
    """The processor: `model`, `architecture`, `cores`, `usable_cores`, `features`, `governor`.

    `features` maps the name of an instruction set to whether it is there; the names depend on
    the architecture.
    """
    lines = _read(root / "proc/cpuinfo").splitlines()
    fields: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = set(f"{fields.get('flags', '')} {fields.get('Features', '')}".split())
    machine = platform.machine()
    known = _ARM_FEATURES if machine.startswith(("aarch64", "arm")) else _X86_FEATURES
    governors = {
        _read(path).strip()
        for path in root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")
    }
    return {
        "model": fields.get("model name")
        or fields.get("Model")
        or _read(root / "proc/device-tree/model").strip("\0 \n")
        or platform.processor()
        or "unknown",
        "architecture": machine,
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "features": {name: bool(flags.intersection(CPU_FEATURES[name])) for name in known},
        "governor": ", ".join(sorted(governors - {""})) or None,
    }


def read_memory(root: Path = ROOT) -> dict[str, int | None]:
    """Main memory in bytes: `total` and `available`."""
    found: dict[str, int | None] = {"total": None, "available": None}
    for line in _read(root / "proc/meminfo").splitlines():
        key, _, value = line.partition(":")
        if key in ("MemTotal", "MemAvailable") and value.split():
            found[key[3:].lower()] = int(value.split()[0]) * 1024
    return found


def read_gpu(root: Path = ROOT) -> dict[str, Any]:
    """The NVIDIA device, if any: `devices` (names), `driver`, `jetson` (its release line).

    `driver` is None where no driver answers, even if a device file is there.
    """
    names, driver = _nvidia_smi()
    nodes = sorted(path.name for path in root.glob("dev/nvidia[0-9]*"))
    release = _read(root / "etc/nv_tegra_release").splitlines()
    return {
        "devices": names or nodes,
        "driver": driver or _read(root / "proc/driver/nvidia/version").partition("\n")[0] or None,
        "jetson": release[0].strip("# ") if release else None,
    }


def read_cameras(root: Path = ROOT) -> list[dict[str, str]]:
    """The video devices: `device` and the `name` that its driver gives."""
    return [
        {
            "device": f"/dev/{path.name}",
            "name": _read(root / "sys/class/video4linux" / path.name / "name").strip(),
        }
        for path in sorted(
            root.glob("dev/video[0-9]*"), key=lambda path: int(path.name.removeprefix("video"))
        )
    ]


def package_versions(names: Iterable[str]) -> dict[str, str | None]:
    """Versions of installed packages, read from their metadata: nothing is imported.

    Of packages that stand in for each other, the one that is there; None where there is none, or
    where the system brought it without metadata.
    """
    return {
        name: next(filter(None, map(_version, (name, *_INSTEAD.get(name, ())))), None)
        for name in names
    }


# Each gives `cv2`; any of them will do.
_INSTEAD = {"opencv-python": ("opencv-python-headless", "opencv-contrib-python")}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu_seconds(root: Path) -> tuple[float | None, float | None]:
    first = _read(root / "proc/stat").partition("\n")[0].split()
    if len(first) < 9 or first[0] != "cpu":
        return None, None
    # user nice system idle iowait irq softirq steal
    ticks = [int(value) for value in first[1:9]]
    second = os.sysconf("SC_CLK_TCK")
    return sum(ticks[index] for index in (0, 1, 2, 5, 6)) / second, ticks[7] / second


def _major_faults(root: Path) -> int | None:
    # The command's name may hold spaces and brackets: what follows its last bracket is counted.
    fields = _read(root / "proc/self/stat").rpartition(")")[2].split()
    return int(fields[9]) if len(fields) > 9 and fields[9].isdigit() else None


def _swapped_pages(root: Path) -> int | None:
    counts = [
        int(count)
        for key, _, count in (
            line.partition(" ") for line in _read(root / "proc/vmstat").splitlines()
        )
        if key in ("pswpin", "pswpout") and count.isdigit()
    ]
    return sum(counts) if counts else None


def _throttles(root: Path) -> int | None:
    paths = list(root.glob("sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count"))
    counts = [_read(path).strip() for path in paths]
    numbers = [int(count) for count in counts if count.isdigit()]
    return sum(numbers) if numbers else None


def _frequencies(root: Path) -> tuple[float, ...]:
    paths = sorted(root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq"))
    scaled = [_read(path).strip() for path in paths]
    if any(value.isdigit() for value in scaled):
        return tuple(int(value) / 1000 for value in scaled if value.isdigit())
    return tuple(
        float(line.partition(":")[2])
        for line in _read(root / "proc/cpuinfo").splitlines()
        if line.startswith("cpu MHz")
    )


def _temperatures(root: Path) -> dict[str, float]:
    found = {}
    for zone in sorted(root.glob("sys/class/thermal/thermal_zone*")):
        value = _read(zone / "temp").strip()
        if value.lstrip("-").isdigit():
            found[_read(zone / "type").strip() or zone.name] = int(value) / 1000
    return found


def _nvidia_smi() -> tuple[list[str], str | None]:
    """Names of the GPUs and the driver's version, as the driver's own tool tells them."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return [], None
    try:
        answer = subprocess.run(
            [tool, "--query-gpu=name,driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return [], None
    rows = [line.rpartition(", ") for line in answer.stdout.splitlines() if ", " in line]
    return [name for name, _, _ in rows], rows[0][2] if rows else None


def _read(path: Path) -> str:
    """A file's text; empty where it cannot be read, since /sys differs between machines."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
