"""The look at free memory before a build."""

from __future__ import annotations

import pytest

from export.engine.builder import Batches, BuildOptions
from export.engine.memory import MIB, estimate, preflight
from export.engine.target import Target
from runtime.errors import InputError

SIZE = (128, 800)
ORIN = Target("tensorrt", "10.3.0.26", "Orin", "8.7", free=None)


def t4(free: int | None) -> Target:
    return Target("tensorrt", "10.13.3", "Tesla T4", "7.5", free=free)


@pytest.fixture
def jetson(tmp_path):
    """Give the file tree of a Jetson so many MiB of free memory."""

    def make(free: int):
        (tmp_path / "proc").mkdir()
        (tmp_path / "proc/meminfo").write_text(
            f"MemTotal: 8000000 kB\nMemFree: 1 kB\nMemAvailable: {free * 1024} kB\n"
        )
        return tmp_path

    return make


def test_the_need_grows_with_file_batch_and_workspace():
    plain = estimate(10 * MIB, SIZE, BuildOptions())
    larger = estimate(20 * MIB, SIZE, BuildOptions())
    batched = estimate(10 * MIB, SIZE, BuildOptions(Batches(1, 1, 8)))
    roomy = estimate(10 * MIB, SIZE, BuildOptions(workspace=2**30))
    assert larger.total - plain.total == 40 * MIB
    assert batched.total - plain.total == 7 * 2 * 64 * 4 * 128 * 800
    assert roomy.total - plain.total == 2**30 - 256 * MIB


def test_enough_gpu_memory_leaves_the_options_as_they_are():
    options = BuildOptions()
    assert preflight(t4(2**34), 10 * MIB, SIZE, options) is options


def test_memory_that_cannot_be_read_stops_nobody(tmp_path):
    assert preflight(t4(None), 10 * MIB, SIZE, BuildOptions()) == BuildOptions()
    assert preflight(ORIN, 10 * MIB, SIZE, BuildOptions(), root=tmp_path) == BuildOptions()


def test_a_jetson_without_a_workspace_gets_half_of_what_is_left(jetson):
    limited = preflight(ORIN, 10 * MIB, SIZE, BuildOptions(), root=jetson(2000))
    assert limited.workspace == 635 * MIB
    assert limited.batches == Batches()


def test_a_jetson_with_a_workspace_gets_what_was_asked_for(jetson):
    options = BuildOptions(workspace=64 * MIB)
    assert preflight(ORIN, 10 * MIB, SIZE, options, root=jetson(2000)) is options


def test_too_little_names_both_figures_and_the_workspace_that_would_fit(jetson):
    root = jetson(850)
    with pytest.raises(InputError) as caught:
        preflight(ORIN, 10 * MIB, SIZE, BuildOptions(), root=root)
    assert "850 MiB of main memory, shared with the GPU, is free" in caught.value.problem
    assert "about 986 MiB needed (256 MiB of it workspace" in caught.value.problem
    assert "--workspace 120 (MiB) or less" in caught.value.hint
    fitting = BuildOptions(workspace=120 * MIB)
    assert preflight(ORIN, 10 * MIB, SIZE, fitting, root=root) is fitting


def test_where_no_workspace_is_small_enough_the_batch_is_named():
    with pytest.raises(InputError) as caught:
        preflight(t4(300 * MIB), 10 * MIB, SIZE, BuildOptions(Batches(1, 1, 8)))
    assert "--max-batch" in caught.value.hint
    assert "no --workspace is small enough" in caught.value.hint
