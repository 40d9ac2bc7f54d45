"""The benchmark of engines: it refuses without a GPU, and reads trtexec's table."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from benchmarks import engines

# As NVIDIA's documentation shows it.
TABLE = """
[I] Throughput: 507.399 qps
[I] Latency: min = 1.96301 ms, max = 1.97534 ms, mean = 1.96921 ms, median = 1.96917 ms
[I] GPU Compute Time: min = 1.95264 ms, max = 1.96484 ms, mean = 1.95879 ms, median = 1.9588 ms, \
percentile(90%) = 1.96191 ms, percentile(95%) = 1.9624 ms, percentile(99%) = 1.96289 ms
"""


def test_the_median_on_the_gpu_is_read_from_trtexecs_table():
    assert engines.gpu_median(TABLE) == 1.9588
    assert engines.gpu_median("[E] no such table") is None


def test_without_a_gpu_it_refuses_in_one_line(monkeypatch, capsys):
    problem = SimpleNamespace(missing="no driver answers", install="install one")
    absent = SimpleNamespace(
        module="", tensorrt="", device="", compute_capability="", problems=(problem,)
    )
    module = ModuleType("runtime.gpu.probe")
    module.probe_gpu = lambda: absent  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "runtime.gpu.probe", module)
    monkeypatch.setattr(sys, "argv", ["engines.py"])
    assert engines.main() == 2
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert "no driver answers" in told.err
    assert told.out == ""


def test_the_steps_are_shown_with_their_share_and_what_python_adds(capsys):
    steps = {
        "upload": [10_000] * 100,
        "infer": [70_000] * 100,
        "download": [5_000] * 100,
        "all": [100_000] * 100,
    }
    engines.show_steps("x", steps)
    told = capsys.readouterr().out
    assert "70.0% of a frame" in told
    assert "beyond the GPU's own time p50 15.0 µs" in told
    assert "1.00× its p50" in told


def test_what_is_not_installed_is_said_instead_of_measured(capsys):
    engines.show("torch.compile", "torch is not installed")
    engines.show("other", np.full(10, 2_000_000))
    assert "torch is not installed" in (told := capsys.readouterr().out)
    assert "p50   2.0000" in told


@pytest.mark.parametrize("module", ["tensorrt", "tensorrt_rtx"])
def test_a_tool_that_is_not_installed_is_none(module, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(engines, "TRTEXEC", ("trtexec",))
    assert engines.find_trtexec(module) is None
