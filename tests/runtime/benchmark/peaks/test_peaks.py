"""The peaks: graphs that engines take, and what is kept of them."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

from runtime.benchmark.peaks import Peak, Peaks, measure_peaks, measuring
from runtime.benchmark.peaks.products import INPUT, convolution, matrix_product
from runtime.errors import InputError

onnx = pytest.importorskip("onnx")


@pytest.mark.parametrize("quantised", [False, True])
def test_the_graphs_are_onnx_and_compute_their_product(quantised):
    for product in (
        matrix_product(16, quantised=quantised),
        convolution(4, 6, quantised=quantised),
    ):
        model = onnx.load_model_from_string(product.graph)
        onnx.checker.check_model(model, full_check=True)
        session = ort.InferenceSession(product.graph, providers=["CPUExecutionProvider"])
        (result,) = session.run(None, {INPUT: product.batch})
        assert result.dtype == product.batch.dtype
        assert result.shape == product.batch.shape
        assert np.ptp(result) > 0
    product = matrix_product(16, quantised=False)
    weights = onnx.numpy_helper.to_array(
        onnx.load_model_from_string(product.graph).graph.initializer[0]
    )
    (result,) = ort.InferenceSession(product.graph, providers=["CPUExecutionProvider"]).run(
        None, {INPUT: product.batch}
    )
    np.testing.assert_allclose(result, product.batch @ weights, rtol=1e-4)


def test_macs_of_the_products():
    assert matrix_product(16, quantised=True).macs == 16**3
    assert convolution(4, 6, quantised=True).macs == 4 * 36 * 4 * 9


def test_the_best_of_all_engines_is_kept(monkeypatch):
    rates = {("onnxruntime", "float32"): 50.0, ("openvino", "float32"): 52.0}

    def rate(engine, product, threads, seconds):
        return rates.get((engine, product.batch.dtype.name))

    monkeypatch.setattr(measuring, "_rate", rate)
    monkeypatch.setattr(measuring, "COPY_BYTES", 1 << 20)
    peaks = measure_peaks(2, seconds=0)
    (peak,) = peaks.products  # no engine computed INT8
    assert (peak.precision, peak.gmac_s, peak.engine) == ("fp32", 52.0, "openvino")
    assert peaks.copy_gb_s > 0
    assert peaks.threads == 2
    assert (peaks.gmac_s("fp16"), peaks.gmac_s("int8")) == (52.0, None)


def test_an_engine_that_refuses_the_graph_has_no_peak(monkeypatch):
    def refuse(product, threads):
        raise InputError("no", hint="")

    monkeypatch.setattr(measuring, "_onnxruntime", refuse)
    product = matrix_product(4, quantised=True)
    assert measuring._rate("onnxruntime", product, 1, 0.0) is None


def test_a_precision_that_the_processor_computes_in_fp32_has_its_roof():
    peak = Peak(precision="int8", gmac_s=200.0, engine="x", product="y")
    peaks = Peaks(threads=1, products=(peak,), copy_gb_s=10.0, seconds=1.0)
    assert peaks.gmac_s("int8") == 200
    assert peaks.gmac_s("fp32") is None
