"""NVIDIA GPUs through the driver's library, where `nvidia-ml-py` is installed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runtime.benchmark.conditions.document import GpuConditions, Spread

# Bits of nvmlClocksThrottleReasons; a GPU without work is not held back.
REASONS = {
    0x0002: "clocks set by an application",
    0x0004: "power limit",
    0x0008: "hardware slowdown",
    0x0010: "kept in step with other GPUs",
    0x0020: "heat, by the driver",
    0x0040: "heat, by the hardware",
    0x0080: "power brake",
    0x0100: "clocks set for the display",
}

CHOSEN = frozenset(REASONS[bit] for bit in (0x0002, 0x0010, 0x0100))
"""Reasons that somebody set, and that keep a clock steady."""


@dataclass(frozen=True)
class GpuSample:
    """One GPU at one moment; what it does not tell is None."""

    sm_mhz: float | None
    memory_mhz: float | None
    temperature_c: float | None
    power_w: float | None
    reasons: int


class Nvml:
    """The driver's library, open until `close`.

    Args:
        library: the module `pynvml`.
    """

    def __init__(self, library: Any) -> None:
        self._library = library
        self._devices = [
            library.nvmlDeviceGetHandleByIndex(index)
            for index in range(library.nvmlDeviceGetCount())
        ]

    @classmethod
    def open(cls) -> Nvml | None:
        """Open it; None where there is no library, driver or device."""
        try:
            library = importlib.import_module("pynvml")
        except ImportError:
            return None
        try:
            library.nvmlInit()
        except library.NVMLError:
            return None
        try:
            return cls(library)
        except library.NVMLError:
            _quiet(library, library.nvmlShutdown)
            return None

    @property
    def names(self) -> list[str]:
        """The devices' names."""
        found = [self._ask("nvmlDeviceGetName", device) for device in self._devices]
        return [
            name.decode(errors="replace") if isinstance(name, bytes) else str(name or "unknown")
            for name in found
        ]

    def sample(self) -> list[GpuSample]:
        """Look at every device."""
        library = self._library
        return [
            GpuSample(
                sm_mhz=self._ask("nvmlDeviceGetClockInfo", device, library.NVML_CLOCK_SM),
                memory_mhz=self._ask("nvmlDeviceGetClockInfo", device, library.NVML_CLOCK_MEM),
                temperature_c=self._ask(
                    "nvmlDeviceGetTemperature", device, library.NVML_TEMPERATURE_GPU
                ),
                power_w=_thousandth(self._ask("nvmlDeviceGetPowerUsage", device)),
                reasons=self._ask("nvmlDeviceGetCurrentClocksThrottleReasons", device) or 0,
            )
            for device in self._devices
        ]

    def joules(self) -> float | None:
        """Energy of all devices since their driver was loaded; None where one does not count."""
        counted = [
            _thousandth(self._ask("nvmlDeviceGetTotalEnergyConsumption", device))
            for device in self._devices
        ]
        return None if not counted or None in counted else sum(one or 0.0 for one in counted)

    def close(self) -> None:
        """Give the library back."""
        _quiet(self._library, self._library.nvmlShutdown)

    def _ask(self, name: str, *arguments: Any) -> Any:
        """An answer; None where the device or the library has none."""
        function = getattr(self._library, name, None)
        return None if function is None else _quiet(self._library, function, *arguments)


def summarise_gpus(names: list[str], samples: list[list[GpuSample]]) -> tuple[GpuConditions, ...]:
    """Return what each GPU did during the samples."""
    found = []
    for index, name in enumerate(names):
        own = [sample[index] for sample in samples]
        reasons = 0
        for sample in own:
            reasons |= sample.reasons
        found.append(
            GpuConditions(
                name=name,
                sm_mhz=Spread.of([sample.sm_mhz for sample in own]),
                memory_mhz=Spread.of([sample.memory_mhz for sample in own]),
                temperature_c=Spread.of([sample.temperature_c for sample in own]),
                power_w=Spread.of([sample.power_w for sample in own]),
                throttled=tuple(words for bit, words in REASONS.items() if reasons & bit),
            )
        )
    return tuple(found)


def _quiet(library: Any, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except library.NVMLError:
        return None


def _thousandth(value: float | None) -> float | None:
    return None if value is None else value / 1000
