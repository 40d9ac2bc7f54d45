"""GPUs as the driver's library tells, with a double of it."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from runtime.benchmark.conditions.nvml import Nvml, summarise_gpus
from tests.runtime.benchmark.conditions.nvml_double import nvml_double


def test_a_gpu_with_all_there_is():
    nvml = Nvml(nvml_double(reasons=0x1 | 0x4 | 0x40, name=b"NVIDIA T4"))
    (gpu,) = summarise_gpus(nvml.names, [nvml.sample(), nvml.sample()])
    assert gpu.name == "NVIDIA T4"
    assert gpu.sm_mhz is not None
    assert (gpu.sm_mhz.mean, gpu.sm_mhz.samples) == (1410, 2)
    assert gpu.power_w is not None
    assert gpu.power_w.high == 85.5
    assert gpu.throttled == ("power limit", "heat, by the hardware")  # idleness is none


def test_what_a_device_does_not_support_is_left_out():
    nvml = Nvml(
        nvml_double(refuse=("nvmlDeviceGetPowerUsage", "nvmlDeviceGetTotalEnergyConsumption"))
    )
    (gpu,) = summarise_gpus(nvml.names, [nvml.sample()])
    assert gpu.power_w is None
    assert gpu.temperature_c is not None
    assert nvml.joules() is None


def test_joules_since_the_driver_was_loaded():
    nvml = Nvml(nvml_double())
    assert nvml.joules() == 100
    assert nvml.joules() == 103


@pytest.mark.parametrize("refuse", ["nvmlInit", "nvmlDeviceGetCount"])
def test_without_a_driver_there_is_none(monkeypatch, refuse):
    double = nvml_double(refuse=(refuse,))
    monkeypatch.setitem(sys.modules, "pynvml", double)
    assert Nvml.open() is None
    assert bool(double.closed) == (refuse != "nvmlInit")


def test_without_the_package_there_is_none(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert Nvml.open() is None


@pytest.mark.skipif(not importlib.util.find_spec("pynvml"), reason="nvidia-ml-py is not installed")
def test_the_double_has_the_names_of_the_library():
    import pynvml

    double = nvml_double()
    for name in vars(double):
        if name != "closed":
            assert hasattr(pynvml, name), name
    assert (pynvml.NVML_CLOCK_SM, pynvml.NVML_CLOCK_MEM) == (1, 2)
    assert pynvml.nvmlClocksThrottleReasonSwPowerCap == 0x4
    assert pynvml.nvmlClocksThrottleReasonHwThermalSlowdown == 0x40
