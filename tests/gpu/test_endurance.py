"""Hours in minutes: memory stays where it was, and what steps cost is told.

Each test says what it proves that the fake cannot.
"""

from __future__ import annotations

import gc
import time

import numpy as np
import pytest

from benchmarks.engines import find_trtexec, trtexec_infer_ms
from runtime.session.tensorrt.device import STEPS
from runtime.statistics import quantile
from tests.gpu.conftest import device_free, device_slack, host_bytes

pytestmark = pytest.mark.gpu

MIB = 2**20
FRAMES = 10_000
CYCLES = 200
WARM = 1_000
# Allocators keep pages; a leak of one small image a frame would be a hundred times this.
HOST_SLACK = 16 * MIB


@pytest.mark.parametrize("graph", [True, False], ids=["graph", "no graph"])
def test_ten_thousand_frames_leave_memory_where_it_was(graph, memory, either, tell):
    """Only a real driver can leak, and only a real clock has a tail."""
    from runtime.session.tensorrt.session import TensorRtSession
    from tests.gpu import nets

    image = nets.images(1)
    steps: dict[str, list[int]] = {name: [] for name in (*STEPS, "frame", "beyond the GPU's own")}
    with TensorRtSession(either(), precision="fp16", memory=memory, graph=graph) as session:
        for _ in range(WARM):
            session.infer_timed(image)
        host, device = host_bytes(), device_free(memory)
        for _ in range(FRAMES):
            start = time.perf_counter_ns()
            _, taken = session.infer_timed(image)
            taken["frame"] = time.perf_counter_ns() - start
            taken["beyond the GPU's own"] = taken["frame"] - sum(map(taken.__getitem__, STEPS))
            for name, times in steps.items():
                times.append(taken[name])
        gc.collect()
        grown, lost = host_bytes() - host, device - device_free(memory)
        described = session.describe()
    tell("session", described)
    for name, times in steps.items():
        ordered = np.sort(np.array(times)) / 1000
        shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
        figures = ", ".join(f"{k} {quantile(ordered, v):.1f} µs" for k, v in shares.items())
        tell(name, figures)
    assert min(map(min, (steps[name] for name in STEPS))) >= 0
    assert grown < HOST_SLACK
    assert lost < device_slack(memory)


def test_two_hundred_sessions_leave_memory_where_it_was(memory, either):
    """What `close` hands back is really free: contexts, streams, events, graphs and buffers."""
    from runtime.session.tensorrt.session import TensorRtSession
    from tests.gpu import nets

    image = nets.images(1)
    path = either()

    def cycle() -> None:
        with TensorRtSession(path, precision="fp16", memory=memory) as session:
            session.infer(image)

    for _ in range(10):
        cycle()
    gc.collect()
    host, device = host_bytes(), device_free(memory)
    for _ in range(CYCLES):
        cycle()
    gc.collect()
    assert host_bytes() - host < 2 * HOST_SLACK
    assert device - device_free(memory) < device_slack(memory)


def test_the_session_beside_trtexec(engine, tell):
    """Shown, not asserted: a test has no idea of what else this machine does."""
    from runtime.session.tensorrt.session import TensorRtSession
    from tests.gpu import nets

    if find_trtexec() is None:
        pytest.skip("trtexec is not here")
    image = nets.images(1)
    with TensorRtSession(engine(), precision="fp16") as session:
        session.warm_up(200)
        times = [session.infer_timed(image)[1]["infer"] for _ in range(2_000)]
    own = quantile(np.sort(np.array(times)), 0.5) / 1e6
    other = trtexec_infer_ms(engine())
    assert other is not None, "trtexec ran, but its table could not be read"
    tell("infer p50", f"{own:.4f} ms, trtexec {other:.4f} ms, ratio {own / other:.3f}")


def test_one_frame_costs_each_step_once(memory, either):
    """The driver's own events order the steps, and together they fit into the time of the call."""
    from runtime.session.tensorrt.session import TensorRtSession
    from tests.gpu import nets

    image = nets.images(4)
    with TensorRtSession(either(), precision="fp16", memory=memory) as session:
        session.warm_up()
        start = time.perf_counter_ns()
        _, steps = session.infer_timed(image)
        whole = time.perf_counter_ns() - start
    assert set(steps) == {"upload", "infer", "download"}
    assert steps["infer"] > 0
    assert sum(steps.values()) <= whole * 1.05
