"""nvpmodel's and tegrastats' output, in the forms of JetPack 4, 5 and 6."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.benchmark.conditions.jetson import (
    TegraStats,
    parse_power_mode,
    parse_tegrastats,
    summarise_jetson,
)
from tests.waiting import wait_until

HERE = Path(__file__).parent


def recorded(name: str) -> str:
    return (HERE / f"tegrastats_{name}.txt").read_text()


def test_jetpack_5():
    samples = parse_tegrastats(recorded("jetpack5"))
    assert [sample.input_w for sample in samples] == [9.12, 8.88]
    assert [sample.gpu_mhz for sample in samples] == [905, 765]
    found = summarise_jetson(samples, "MODE_15W")
    assert found.input_w is not None
    assert (found.input_w.low, found.input_w.mean, found.input_w.high) == (8.88, 9.0, 9.12)
    assert found.gpu_load is not None
    assert found.gpu_load.high == 0.62
    assert found.rails_w == {"VDD_IN": 9.0, "VDD_CPU_GPU_CV": 3.4, "VDD_SOC": 2.1}
    assert found.temperatures_c["tj"] == 55.093
    assert "CV0" not in found.temperatures_c  # off: -256 °C


def test_jetpack_6_has_three_values_per_rail_and_may_not_tell_the_gpus_clock():
    (sample,) = parse_tegrastats(recorded("jetpack6"))
    assert sample.input_w == 5.92
    assert (sample.gpu_load, sample.gpu_mhz) == (0.41, None)
    assert sample.temperatures_c["gpu"] == 48.906
    assert set(sample.power_mw) == {"VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"}


def test_without_a_rail_of_the_input_no_power_is_guessed():
    (sample,) = parse_tegrastats(recorded("agx_orin"))
    assert sample.power_mw["VIN_SYS_5V0"] == 3027  # feeds a part of the module
    assert sample.input_w is None
    assert summarise_jetson([sample], None).input_w is None


def test_jetpack_4_leaves_the_unit_out():
    (sample,) = parse_tegrastats(
        "RAM 1200/3964MB (lfb 2x4MB) SWAP 0/1982MB (cached 0MB) CPU [9%@1479] "
        "GR3D_FREQ 99%@921 PLL@40C CPU@42.5C POM_5V_IN 5012/4990 POM_5V_GPU 1200/1100"
    )
    assert sample.input_w == 5.012
    assert sample.gpu_mhz == 921


@pytest.mark.parametrize("text", ["", "tegrastats: not permitted", "RAM lots", "\x00\x00"])
def test_what_is_no_sample_is_left_out(text):
    assert parse_tegrastats(text) == []
    assert summarise_jetson(parse_tegrastats(text), None).gpu_load is None


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("NV Power Mode: MAXN\n0\n", "MAXN"),
        ("NVPM WARN: fan mode is not set!\nNV Power Mode: MODE_15W\n2\n", "MODE_15W"),
        ("NV Fan Mode:quiet\nNV Power Mode: 25W\n1\n", "25W"),
        ("NVPM ERROR: failed to read PARAM_GPU\n", None),
        ("", None),
    ],
)
def test_the_power_mode(text, mode):
    assert parse_power_mode(text) == mode


def test_tegrastats_runs_beside_the_measurement_until_it_is_stopped(tmp_path):
    tool = tmp_path / "tegrastats"
    lines = HERE / "tegrastats_jetpack5.txt"
    tool.write_text(f"#!/bin/sh\ncat {lines}\necho >{tmp_path}/told\nexec sleep 60\n")
    tool.chmod(0o755)
    stats = TegraStats(str(tool))
    wait_until((tmp_path / "told").exists)
    assert len(stats.stop()) == 2


def test_a_tool_that_does_not_start_gives_nothing(tmp_path):
    assert TegraStats(str(tmp_path / "absent")).stop() == []
