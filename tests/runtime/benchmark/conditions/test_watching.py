"""The machine is looked at between turns, and energy only where a meter tells."""

from __future__ import annotations

import sys

import pytest

from runtime.benchmark.conditions import ConditionWatch
from runtime.benchmark.conditions.energy import (
    NvmlMeter,
    RaplMeter,
    TegraMeter,
    measure_energy,
)
from runtime.benchmark.conditions.jetson import parse_tegrastats
from runtime.benchmark.conditions.nvml import Nvml
from tests.runtime.benchmark.conditions.nvml_double import nvml_double
from tests.runtime.benchmark.conditions.test_jetson import recorded


@pytest.fixture
def root(tmp_path):
    """A machine's files: two clocks, swap in use, a package's energy."""
    frequency = tmp_path / "sys/devices/system/cpu/cpu0/cpufreq"
    frequency.mkdir(parents=True)
    (frequency / "scaling_cur_freq").write_text("2400000")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/vmstat").write_text("pswpin 10\npswpout 5\n")
    (tmp_path / "proc/meminfo").write_text(
        "MemTotal: 4096 kB\nMemAvailable: 2048 kB\nSwapTotal: 1024 kB\nSwapFree: 1000 kB\n"
    )
    zone = tmp_path / "sys/class/powercap/intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "name").write_text("package-0\n")
    (zone / "energy_uj").write_text("9000000")
    (zone / "max_energy_range_uj").write_text("10000000")
    return tmp_path


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_samples_come_between_turns_and_not_more_often_than_asked(root, monkeypatch):
    double = nvml_double()
    monkeypatch.setitem(sys.modules, "pynvml", double)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    clock = Clock()
    watch = ConditionWatch(root, interval_s=1.0, clock=clock, spin=lambda: 40_000)
    told = []
    with watch.watching():
        progress = watch.beside(lambda done, total, what: told.append(done))
        for turn in range(30):
            clock.now = turn / 10
            progress(turn, 30, "turn")
        (root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq").write_text("1200000")
        (root / "proc/vmstat").write_text("pswpin 12\npswpout 5\n")
    found = watch.finish()
    assert told == list(range(30))
    assert found.core_mhz is not None
    assert found.core_mhz.samples == 4  # at 0, 1 and 2 seconds, and at the end
    assert (found.core_mhz.low, found.core_mhz.high) == (1200, 2400)
    assert found.swapped_pages == 2
    assert found.swap_used_bytes == 24 * 1024
    assert found.memory_available_bytes is not None
    assert found.memory_available_bytes.low == 2048 * 1024
    assert found.thread_settings["OMP_NUM_THREADS"] == "3"
    assert [gpu.name for gpu in found.gpus] == ["Orin"]
    assert double.closed == [True]
    assert found.jetson is None


def test_a_measurement_that_fails_leaves_nothing_open(root, monkeypatch):
    double = nvml_double()
    monkeypatch.setitem(sys.modules, "pynvml", double)
    watch = ConditionWatch(root)
    with pytest.raises(KeyboardInterrupt), watch.watching():
        raise KeyboardInterrupt
    assert double.closed == [True]


def test_a_machine_that_tells_nothing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    watch = ConditionWatch(tmp_path)
    watch.start()
    found = watch.finish()
    assert (found.core_mhz, found.swap_used_bytes, found.swapped_pages) == (None, None, None)
    assert found.gpus == ()


def energy(meter, frames=4):
    clock = Clock()

    def judge():
        clock.now += 0.5

    return measure_energy(judge, meter, seconds=frames * 0.5, clock=clock)


def test_rapl_runs_over_and_is_read_all_the_same(root):
    zone = root / "sys/class/powercap/intel-rapl:0"
    meter = RaplMeter(root)
    assert meter.there
    meter.start()
    (zone / "energy_uj").write_text("1000000")
    assert meter.stop(1.0) == pytest.approx(2.0)  # 9 to 10, then 0 to 1


def test_energy_per_frame(root):
    found = energy(NvmlMeter(Nvml(nvml_double())))
    assert found is not None
    assert (found.frames, found.seconds) == (4, 2.0)
    assert found.joules_per_frame == pytest.approx(0.75)
    assert found.watts == pytest.approx(1.5)


def test_a_jetsons_input_times_the_seconds():
    class Stats:
        def stop(self):
            return parse_tegrastats(recorded("jetpack5"))

    found = energy(TegraMeter(lambda: Stats()))  # type: ignore[arg-type,return-value]
    assert found is not None
    assert found.watts == pytest.approx(9.0)
    assert found.joules_per_frame == pytest.approx(4.5)


@pytest.mark.parametrize("lost", ["energy_uj", "name"])
def test_without_a_counter_there_is_no_energy(root, lost):
    (root / "sys/class/powercap/intel-rapl:0" / lost).unlink()
    assert not RaplMeter(root).there


def test_a_meter_that_stood_still_tells_nothing(root):
    assert energy(RaplMeter(root)) is None
    assert energy(TegraMeter(lambda: None)) is None
