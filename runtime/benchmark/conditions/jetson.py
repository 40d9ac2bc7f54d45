"""A Jetson's power mode and tegrastats, of JetPack 4, 5 and 6."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

from runtime.benchmark.conditions.document import JetsonConditions, Spread

INTERVAL_MS = 500
INPUT_RAILS = ("VDD_IN", "POM_5V_IN", "VIN_SYS_5V0_TOTAL")
"""Rails that feed a whole module; the sum of others would leave parts out."""

_MODE = re.compile(r"NV Power Mode:\s*(\S.*?)\s*$", re.MULTILINE)
_GPU = re.compile(r"\bGR3D_FREQ\s+(?:(\d+)%)?(?:@\[?(\d+)(?:,\d+)*\]?)?")
_TEMPERATURE = re.compile(r"\b([A-Za-z]\w*)@(-?\d+(?:\.\d+)?)C\b")
# JetPack 5 and 6: now/mean, or now/mean/peak, in mW. JetPack 4 leaves the unit out.
_POWER = re.compile(r"\b((?:VDD|POM|VIN|VDDQ|SYS|NC|GPU|CPU|SOC|CV)\w*)\s+(\d+)(?:mW)?/\d+(?:mW)?")
_OFF_C = -256.0


@dataclass(frozen=True)
class TegraSample:
    """One line of tegrastats.

    Args:
        gpu_load: 0 to 1; None where the line does not tell.
        gpu_mhz: the GPU's clock; None likewise.
        temperatures_c: by sensor; those that are off are left out.
        power_mw: by rail.
    """

    gpu_load: float | None = None
    gpu_mhz: float | None = None
    temperatures_c: dict[str, float] = field(default_factory=dict)
    power_mw: dict[str, float] = field(default_factory=dict)

    @property
    def input_w(self) -> float | None:
        """Power at the module's input; None where no rail is that."""
        return next(
            (self.power_mw[name] / 1000 for name in INPUT_RAILS if name in self.power_mw), None
        )


def parse_power_mode(text: str) -> str | None:
    """The power mode in the output of `nvpmodel -q`, as `MAXN`; None where there is none."""
    found = _MODE.search(text)
    return found[1] if found else None


def parse_tegrastats(text: str) -> list[TegraSample]:
    """The samples in tegrastats' output; lines that are none are left out."""
    return [
        sample
        for line in text.splitlines()
        if "RAM " in line and (sample := _parse_line(line)) != TegraSample()
    ]


def _parse_line(line: str) -> TegraSample:
    # Memory and swap are written like power: 3281/30588MB.
    rest = re.sub(r"\b(?:RAM|SWAP|IRAM)\s+\d+/\d+\w+", "", line)
    gpu = _GPU.search(rest)
    return TegraSample(
        gpu_load=int(gpu[1]) / 100 if gpu and gpu[1] else None,
        gpu_mhz=float(gpu[2]) if gpu and gpu[2] else None,
        temperatures_c={
            name: float(value)
            for name, value in _TEMPERATURE.findall(rest)
            if float(value) > _OFF_C
        },
        power_mw={name: float(now) for name, now in _POWER.findall(rest)},
    )


def summarise_jetson(samples: Sequence[TegraSample], power_mode: str | None) -> JetsonConditions:
    """Return what a Jetson did during the samples."""
    rails: dict[str, list[float]] = {}
    heat: dict[str, float] = {}
    for sample in samples:
        for name, value in sample.power_mw.items():
            rails.setdefault(name, []).append(value / 1000)
        for name, value in sample.temperatures_c.items():
            heat[name] = max(value, heat.get(name, value))
    return JetsonConditions(
        power_mode=power_mode,
        gpu_load=Spread.of([sample.gpu_load for sample in samples]),
        gpu_mhz=Spread.of([sample.gpu_mhz for sample in samples]),
        input_w=Spread.of([sample.input_w for sample in samples]),
        rails_w={name: round(sum(own) / len(own), 3) for name, own in rails.items()},
        temperatures_c=heat,
    )


def read_power_mode() -> str | None:
    """Ask nvpmodel; None where it is not there or does not answer."""
    tool = shutil.which("nvpmodel")
    if tool is None:
        return None
    try:
        answer = subprocess.run(
            [tool, "-q"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_power_mode(answer.stdout)


class TegraStats:
    """tegrastats in a process of its own, from now until `stop`."""

    def __init__(self, tool: str, *, interval_ms: int = INTERVAL_MS) -> None:
        # A file, not a pipe: nobody reads while frames are timed.
        self._output: IO[str] = tempfile.TemporaryFile(  # noqa: SIM115 - closed by stop
            "w+", encoding="utf-8", errors="replace"
        )
        try:
            self._process: subprocess.Popen[str] | None = subprocess.Popen(
                [tool, "--interval", str(interval_ms)],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        except OSError:
            self._process = None

    @classmethod
    def start(cls) -> TegraStats | None:
        """Start it; None where this is no Jetson."""
        tool = shutil.which("tegrastats")
        return None if tool is None else cls(tool)

    def stop(self) -> list[TegraSample]:
        """End it, and return its samples."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(5)
        with self._output:
            self._output.seek(0)
            return parse_tegrastats(self._output.read())
