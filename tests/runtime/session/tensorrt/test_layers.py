"""TensorRT's layer times, on every version of its double."""

from __future__ import annotations

import numpy as np

from runtime.session.profiling import profile_layers
from runtime.session.profiling.tensorrt import layers_of_times
from runtime.session.tensorrt.session import TensorRtSession
from tests.bindings.boxes import backend, box, driver, version

__all__ = ["backend", "box", "driver", "version"]


def test_an_iprofiler_sees_each_run_and_no_graph_hides_them(box):
    batch = np.zeros((2, 1, 8, 12), np.uint8)
    layers = profile_layers("tensorrt", box.engine(), batch, threads=0, runs=3, warmup=2)
    assert [(layer.name, layer.ms) for layer in layers] == [
        ("conv_0 + relu_0", 0.25),
        ("gemm_0", 0.5),
    ]
    assert layers[0].nodes == ("conv_0", "relu_0")
    assert layers[0].operator == "conv + relu"
    assert box.driver.left == {}


def test_only_runs_after_the_warm_up_are_counted(box):
    times: dict[str, list[float]] = {}
    with TensorRtSession(box.engine(), graph=False) as session:
        session.infer(np.zeros((1, 1, 8, 12), np.uint8))
        from runtime.session.profiling.tensorrt import layer_profiler

        session.watch_layers(1, lambda trt: layer_profiler(trt, times))
        for _ in range(3):
            session.infer(np.zeros((1, 1, 8, 12), np.uint8))
    assert {name: len(own) for name, own in times.items()} == {"conv_0 + relu_0": 3, "gemm_0": 3}


def test_names_of_fused_layers_are_taken_apart():
    times = {
        "/stem/Conv + /stem/Relu": [1.0],
        "conv_3 || conv_4": [1.0],
        "PWN(sigmoid_2)": [1.0],
        "Reformatting CopyNode for Input Tensor 0 to conv_0": [1.0],
    }
    first, second, third, _ = layers_of_times(times)
    assert (first.nodes, first.operator) == (("/stem/Conv", "/stem/Relu"), "Conv + Relu")
    assert (second.nodes, second.macs, second.product) == (("conv_3", "conv_4"), None, True)
    assert (third.nodes[-1], third.macs) == ("sigmoid_2", 0)
