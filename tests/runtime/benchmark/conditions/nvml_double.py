"""pynvml's functions over made-up devices."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class NVMLError(Exception):
    """As the library raises."""


def nvml_double(*, refuse: tuple[str, ...] = (), reasons: int = 0, name: Any = "Orin") -> Any:
    """A module with one device.

    Args:
        refuse: names of functions that the device does not support.
        reasons: bits of what holds its clock back.
        name: as the library gives it; older ones give bytes.
    """
    closed: list[bool] = []
    counted = iter(range(100_000, 10_000_000, 3000))
    answers: dict[str, Any] = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: closed.append(True),
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda device: name,
        "nvmlDeviceGetClockInfo": lambda device, kind: {1: 1410, 2: 1593}[kind],
        "nvmlDeviceGetTemperature": lambda device, kind: 61,
        "nvmlDeviceGetPowerUsage": lambda device: 85_500,
        "nvmlDeviceGetCurrentClocksThrottleReasons": lambda device: reasons,
        "nvmlDeviceGetTotalEnergyConsumption": lambda device: next(counted),
    }

    def refused(*arguments: Any) -> Any:
        raise NVMLError("Not Supported")

    return SimpleNamespace(
        NVMLError=NVMLError,
        NVML_CLOCK_SM=1,
        NVML_CLOCK_MEM=2,
        NVML_TEMPERATURE_GPU=0,
        closed=closed,
        **{key: refused if key in refuse else answer for key, answer in answers.items()},
    )
