"""Layers of every engine in one table."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from runtime.benchmark.layers import layer_table, time_layers
from runtime.benchmark.layers.measuring import NO_COSTS
from runtime.session.profiling import LayerTime
from runtime.session.profiling.onnxruntime import layers_of_events
from runtime.session.profiling.openvino import _layer, window_means

MATRIX = {"float": [1, 32, 24, 24]}


def event(name, dur, operator, inputs, outputs, index=1):
    return {
        "cat": "Node",
        "name": f"{name}_kernel_time",
        "dur": dur,
        "args": {
            "op_name": operator,
            "node_index": str(index),
            "input_type_shape": inputs,
            "output_type_shape": outputs,
        },
    }


def conv(dur):
    return event(
        "relu_1_nchwc",
        dur,
        "Conv",
        [{"float": [1, 16, 24, 24]}, {"float": [32, 16, 3, 3]}, {"float": [32]}],
        [MATRIX],
    )


def test_onnxruntimes_events_become_layers_without_the_warm_up():
    cast = event("cast_0", 4, "Cast", [{"uint8": [1, 8]}], [{"float": [1, 8]}], index=0)
    packed = event(
        "conv_3_token_10",
        9,
        "QLinearConv",
        [{"uint8": [1, 24, 24, 32]}],
        [{"uint8": [1, 24, 24, 8]}],
    )
    events = [{"cat": "Session", "name": "model_loading", "dur": 5}]
    for duration in (9000, 100, 300, 200):
        events += [cast, conv(duration), packed]
    first, second, third = layers_of_events(events, runs=3)
    assert (first.name, first.operator, first.macs, first.bytes) == ("cast_0", "Cast", 0, 8 + 32)
    assert second.ms == 0.2
    assert second.macs == 32 * 24 * 24 * 16 * 9
    assert second.nodes == ("relu_1",)
    assert second.bytes == 4 * (16 * 576 + 32 * 16 * 9 + 32 + 32 * 576)
    assert (third.nodes, third.product, third.macs) == (("conv_3",), True, None)


def test_onnxruntimes_file_without_nodes_gives_no_layer():
    assert layers_of_events([], runs=3) == []
    assert layers_of_events([{"cat": "Session", "name": "x"}], runs=3) == []


def test_openvinos_running_means_are_taken_apart():
    # Runs of 50, 1, 1, 1, 2, 2, 2, 2 ms, as means of all so far.
    counts, totals = (1, 2, 4, 8), (50, 51, 53, 61)
    means = [total / count for count, total in zip(counts, totals, strict=True)]
    assert window_means(counts, means) == pytest.approx([1, 1, 2])
    assert window_means((1, 2), [3.0, 1.0]) == [0.0]  # rounded down by the engine


def test_openvinos_grouped_convolution():
    facts = {
        "kind": "Convolution",
        "nodes": ("conv_4/WithoutBiases", "conv_4"),
        "inputs": [((1, 128, 24, 24), 1), ((128, 1, 1, 3, 3), 1), ((128,), 4)],
        "outputs": [((1, 128, 12, 12), 1)],
    }
    layer = _layer("conv_4", "GroupConvolution", [0.02, 0.01], facts)
    assert layer.operator == "GroupConvolution"
    assert layer.macs == 128 * 12 * 12 * 9
    assert layer.bytes == 128 * 576 + 128 * 9 + 512 + 128 * 144


def test_what_the_engine_does_not_show_comes_from_the_graph():
    layers = [
        LayerTime("conv_3_token_1", "QLinearConv", 0.5, ("conv_3",), True, None, 1000),
        LayerTime("conv_9", "QLinearConv", 0.25, ("conv_9",), True, None, 500),
        LayerTime("cast", "Cast", 0.25, ("cast",), False, 0, 100),
    ]
    work = {"conv_3": SimpleNamespace(macs=2_000_000, weight_bytes=24)}
    table = layer_table(layers, profiler="x", batch=2, runs=3, work=work)
    first, unknown, cast = table.rows
    assert (first.macs, first.bytes, first.share) == (4_000_000, 1024, 0.5)
    assert first.gmac_s == pytest.approx(8.0)
    assert unknown.macs is None
    assert unknown.gmac_s is None
    assert cast.macs == 0
    assert cast.gmac_s is None
    assert cast.gb_s == pytest.approx(0.0004, abs=1e-3)
    assert table.macs is None
    assert table.bytes == 1624
    assert [row.layer for row in table.slowest(1)] == ["conv_3_token_1"]


def test_layers_that_take_no_time_divide_nothing():
    table = layer_table([LayerTime("a", "Conv", 0.0, (), True, 5, 5)], profiler="", batch=1, runs=1)
    assert (table.rows[0].share, table.rows[0].gmac_s, table.rows[0].gb_s) == (0.0, None, None)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_real_graph_is_timed_layer_by_layer(engine, make_bundle):
    pytest.importorskip(engine)
    path = make_bundle() / "model.fp32.onnx"
    batch = np.zeros((2, 1, 32, 48), np.uint8)
    table = time_layers(engine, path, batch, threads=1, runs=2, graph=path, costs=lambda _: {})
    assert table.rows
    assert table.notes == ()
    assert sum(row.share for row in table.rows) == pytest.approx(1, abs=0.01)
    assert table.batch == 2
    assert all(row.bytes for row in table.rows)


def test_an_engine_without_profiler_is_a_note(tmp_path):
    batch = np.zeros((1, 1, 4, 4), np.uint8)
    table = time_layers("warp", tmp_path / "x.onnx", batch, threads=1)
    assert table.rows == ()
    assert "engine warp has no layer profiler" in table.notes[0]


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_file_that_cannot_be_loaded_is_a_note(engine, tmp_path):
    pytest.importorskip(engine)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no graph")
    table = time_layers(engine, path, np.zeros((1, 1, 4, 4), np.uint8), threads=1)
    assert "cannot be profiled" in table.notes[0]


def test_without_onnx_the_table_says_what_is_missing(monkeypatch, tmp_path):
    layer = LayerTime("conv", "QLinearConv", 1.0, ("conv",), True, None, 10)
    monkeypatch.setattr(
        "runtime.benchmark.layers.measuring.profile_layers", lambda *a, **k: [layer]
    )
    table = time_layers("onnxruntime", tmp_path, np.zeros((1, 1, 4, 4), np.uint8), threads=1)
    assert table.notes == (NO_COSTS,)
    assert table.rows[0].macs is None
