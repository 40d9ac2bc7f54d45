"""Energy per frame, where a meter is there; nothing is estimated."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from runtime.benchmark.conditions.document import SideEnergy
from runtime.benchmark.conditions.jetson import TegraStats
from runtime.benchmark.conditions.nvml import Nvml
from runtime.machine import ROOT

SECONDS = 2.0
"""Time for each side: meters count in steps of milliseconds to a tenth of a second."""


class Meter(Protocol):
    """Counter of joules.

    Attributes:
        what: is read, and what it covers.
    """

    what: str

    def start(self) -> None: ...

    def stop(self, seconds: float) -> float | None:
        """Joules since `start`, that many seconds ago; None where it did not tell."""


class RaplMeter:
    """The processor's own counter, RAPL.

    Args:
        root: the file tree, for tests.
    """

    what = "RAPL, the processor's packages"

    def __init__(self, root: Path = ROOT) -> None:
        self._zones = [
            zone
            for zone in sorted(root.glob("sys/class/powercap/intel-rapl:*"))
            if _text(zone / "name").startswith("package")
        ]
        self._before: list[int | None] = []

    @property
    def there(self) -> bool:
        """Whether every package can be read; many systems allow it to root alone."""
        return bool(self._zones) and None not in self._read()

    def start(self) -> None:
        """Note the counters."""
        self._before = self._read()

    def stop(self, seconds: float) -> float | None:
        """Joules since `start`; a counter that ran over starts anew at zero."""
        total = 0
        for zone, before, after in zip(self._zones, self._before, self._read(), strict=True):
            if before is None or after is None:
                return None
            spent = after - before
            if spent < 0:
                spent += _number(zone / "max_energy_range_uj") or 0
            if spent < 0:
                return None
            total += spent
        return total / 1e6

    def _read(self) -> list[int | None]:
        return [_number(zone / "energy_uj") for zone in self._zones]


class NvmlMeter:
    """The GPUs' own counters."""

    what = "NVML, the GPUs' boards"

    def __init__(self, nvml: Nvml) -> None:
        self._nvml = nvml
        self._before: float | None = None

    def start(self) -> None:
        """Note the counters."""
        self._before = self._nvml.joules()

    def stop(self, seconds: float) -> float | None:
        """Joules since `start`."""
        after = self._nvml.joules()
        return None if after is None or self._before is None else after - self._before


class TegraMeter:
    """The power at a Jetson's input, by tegrastats, times the seconds."""

    what = "tegrastats, the module's input"

    def __init__(self, open_stats: Callable[[], TegraStats | None] = TegraStats.start) -> None:
        self._open = open_stats
        self._stats: TegraStats | None = None

    def start(self) -> None:
        """Start tegrastats."""
        self._stats = self._open()

    def stop(self, seconds: float) -> float | None:
        """Joules: mean power at the input; None where no rail is that."""
        stats, self._stats = self._stats, None
        powers = [sample.input_w for sample in stats.stop()] if stats else []
        known = [power for power in powers if power is not None]
        return sum(known) / len(known) * seconds if known else None


def measure_energy(
    judge: Callable[[], object],
    meter: Meter,
    *,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.perf_counter,
) -> SideEnergy | None:
    """Judge one frame after another, and read the meter; None where it does not tell.

    Args:
        judge: judges one frame.
        meter: of the device that judges.
        seconds: how long, at least.
        clock: for tests.
    """
    judge()
    frames = 0
    meter.start()
    start = clock()
    while (spent := clock() - start) < seconds or not frames:
        judge()
        frames += 1
    joules = meter.stop(spent)
    if joules is None or joules <= 0 or spent <= 0:
        return None
    return SideEnergy(
        joules_per_frame=round(joules / frames, 6),
        watts=round(joules / spent, 3),
        meter=meter.what,
        frames=frames,
        seconds=round(spent, 3),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() else None
