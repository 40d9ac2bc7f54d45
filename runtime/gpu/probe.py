"""Probe of NVIDIA hardware and software, run once in a process of its own."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runtime.gpu.findings import MARK
from runtime.gpu.missing import Problem, find_problems
from runtime.machine import ROOT, read_gpu

PROBE_SECONDS = 40.0
"""Time limit of the probe: TensorRT loads for seconds from a slow card, a driver may hang."""

FINDINGS = "runtime.gpu.findings"

DEVICE_FILES = (
    "dev/nvidia[0-9]*",  # x86 and JetPack 7
    "dev/nvhost-gpu",  # JetPack up to 6
    "dev/dxg",  # Windows' Linux
    "etc/nv_tegra_release",
    "proc/driver/nvidia/version",
)


@dataclass(frozen=True)
class GpuProbe:
    """Findings of the probe; texts are empty, and numbers None, where there is nothing.

    Args:
        driver: what the driver says of its version.
        cuda: the newest CUDA that the driver serves, as in `12.6`.
        device: the first GPU's name.
        compute_capability: as in `8.7`.
        free_memory, total_memory: bytes of that GPU.
        module: `tensorrt` or `tensorrt_rtx`, the first that loads.
        tensorrt: its version.
        serves: the compute capabilities that it tells of itself; only TensorRT for RTX does.
        memory: the bindings that will be used, and their version.
        jetson: the release line of a Jetson.
        problems: what stands between this machine and an engine that runs, the first cause first.
    """

    driver: str = ""
    cuda: str = ""
    device: str = ""
    compute_capability: str = ""
    free_memory: int | None = None
    total_memory: int | None = None
    module: str = ""
    tensorrt: str = ""
    serves: tuple[str, ...] = ()
    memory: str = ""
    jetson: str = ""
    problems: tuple[Problem, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether an engine can be built and run here."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return {**asdict(self), "ready": self.ready}


@functools.cache
def probe_gpu() -> GpuProbe:
    """Look at this machine; the answer is kept for the life of the process."""
    return probe(ROOT)


def probe(root: Path, *, seconds: float = PROBE_SECONDS, findings: str = FINDINGS) -> GpuProbe:
    """Probe anew each time.

    Args:
        root: the file tree to read, for tests.
        seconds: how long the look may take.
        findings: the module that looks, for tests.
    """
    gpu = read_gpu(root)
    lines, ending = _ask(findings, seconds)
    return judge(lines, ending, gpu, root)


def has_device(root: Path = ROOT) -> bool:
    """Whether this machine has an NVIDIA device at all, by its files; takes no time."""
    return any(next(root.glob(pattern), None) for pattern in DEVICE_FILES)


def judge(
    lines: Sequence[Mapping[str, Any]], ending: str, gpu: Mapping[str, Any], root: Path = ROOT
) -> GpuProbe:
    """Interpret the findings.

    Args:
        lines: what the other process told.
        ending: how it ended, where it did not end by itself.
        gpu: of `runtime.machine.read_gpu`.
        root: where to look for TensorRT's bindings of another Python.
    """
    found: dict[str, Any] = {}
    for line in lines:
        known = {name: line[name] for name in line if name in GpuProbe.__dataclass_fields__}
        if "module" not in known:
            found |= known
        elif line["version"] and "module" not in found:
            found |= {"module": line["module"], "tensorrt": line["version"]}
            found |= {"serves": tuple(line.get("serves", ()))}
    bindings = {k: v for line in lines for k, v in line.get("bindings", {}).items() if v}
    first = next(iter(bindings.items()), None)
    jetson = gpu["jetson"] or ""
    probed = GpuProbe(
        **found,
        driver=gpu["driver"] or "",
        memory=" ".join(first) if first else "",
        jetson=jetson,
    )
    there = bool(gpu["devices"] or jetson or has_device(root))
    problems = find_problems(lines, ending, there=there, jetson=bool(jetson), root=root)
    return GpuProbe(**{**vars(probed), "problems": problems})


def _ask(module: str, seconds: float) -> tuple[list[Mapping[str, Any]], str]:
    """Run the other process.

    Returns:
        The lines that it told, and how it ended: empty if by itself.
    """
    folder = str(Path(__file__).parents[2])
    paths = os.environ.get("PYTHONPATH", "")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (folder, paths)))}
    # A file, not a pipe: whatever hangs in the driver cannot hold this process up.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        ending = ""
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", module],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
        except OSError as error:
            return [], f"could not be started ({error.strerror})"
        try:
            code = process.wait(seconds)
            if code:
                ending = f"killed the process (signal {-code})" if code < 0 else "ended the process"
        except subprocess.TimeoutExpired:
            ending = f"took more than {seconds:g} s"
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(2)  # inside the driver not even a kill helps; it is left behind
        output.seek(0)
        return list(_told(output)), ending


def _told(output: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for line in output:
        if line.startswith(MARK):
            with suppress(ValueError):  # the last line of a process that was killed
                yield json.loads(line.removeprefix(MARK))
