"""The peaks of this machine's processor, measured in a second or two."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from runtime.benchmark.peaks.products import INPUT, Product, convolution, matrix_product
from runtime.errors import InputError
from runtime.files.document import Part
from runtime.machine import read_memory
from runtime.session.spec import ENGINES

SECONDS = 0.15
"""Time for each product in each engine, and for the copy."""

LEAST_RUNS = 3

COPY_BYTES = 64 << 20
"""Bytes that are copied at once: more than the caches of most machines hold."""

RUNNERS = ("onnxruntime", "openvino")


class Peak(Part, frozen=True, kw_only=True):
    """The most multiply-accumulates per second that was seen in one number format.

    Args:
        precision: `fp32` or `int8`.
        gmac_s: 10^9 of them per second.
        engine: that reached it.
        product: what it computed, in words.
    """

    precision: str
    gmac_s: float
    engine: str
    product: str


class Peaks(Part, frozen=True, kw_only=True):
    """Peaks of this machine's processor, measured in the same run.

    Args:
        threads: that computed and copied.
        products: the best of each number format; one without an engine for it is left out.
        copy_gb_s: 10^9 bytes read and written per second, in a large copy.
        seconds: that measuring took.
    """

    threads: int
    products: tuple[Peak, ...]
    copy_gb_s: float
    seconds: float

    def gmac_s(self, precision: str) -> float | None:
        """The roof of a precision; that of FP32 for one that the processor computes in FP32."""
        known = {peak.precision: peak.gmac_s for peak in self.products}
        return known.get("int8" if precision == "int8" else "fp32")


def measure_peaks(threads: int, *, seconds: float = SECONDS) -> Peaks:
    """Measure the peaks; it loads the processor, so nothing else may be timed meanwhile.

    Args:
        threads: to compute and copy with.
        seconds: per product and engine.
    """
    start = time.perf_counter()
    best: dict[str, Peak] = {}
    for precision, product in _products():
        for engine in RUNNERS:
            rate = _rate(engine, product, threads, seconds)
            if rate is not None and (precision not in best or rate > best[precision].gmac_s):
                best[precision] = Peak(
                    precision=precision,
                    gmac_s=round(rate, 2),
                    engine=engine,
                    product=product.name,
                )
    copy = _copy_rate(threads, seconds)
    return Peaks(
        threads=threads,
        products=tuple(best.values()),
        copy_gb_s=round(copy, 2),
        seconds=round(time.perf_counter() - start, 2),
    )


def _products() -> Sequence[tuple[str, Product]]:
    # Small enough for the caches, and over before an operating system takes the core away.
    return [
        (precision, product)
        for precision, quantised in (("fp32", False), ("int8", True))
        for product in (
            matrix_product(512, quantised=quantised),
            convolution(128, 32, quantised=quantised),
        )
    ]


def _rate(engine: str, product: Product, threads: int, seconds: float) -> float | None:
    """GMAC/s of the quickest run; None where the engine is not here, or refuses the graph."""
    if not ENGINES[engine].installed:
        return None
    try:
        run = (
            _onnxruntime(product, threads)
            if engine == "onnxruntime"
            else _openvino(product, threads)
        )
        return product.macs / _quickest(run, seconds) / 1e9
    except (InputError, RuntimeError):
        return None


def _onnxruntime(product: Product, threads: int) -> Callable[[], object]:
    import onnxruntime as ort

    from runtime.session.onnxruntime import session_options

    session = ort.InferenceSession(
        product.graph, session_options(threads), providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {INPUT: product.batch})


def _openvino(product: Product, threads: int) -> Callable[[], object]:
    from runtime.session.openvino import compile_options, shared_core

    core = shared_core()
    compiled = core.compile_model(core.read_model(product.graph), "CPU", compile_options(threads))
    request = compiled.create_infer_request()
    np.copyto(request.get_input_tensor(0).data, product.batch)
    return lambda: request.infer()


def _quickest(run: Callable[[], object], seconds: float) -> float:
    """Seconds of the quickest run: what the machine can do, not what it did on average."""
    best, runs, end = float("inf"), 0, time.perf_counter() + seconds
    while runs < LEAST_RUNS or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
        runs += 1
    return best


def _copy_rate(threads: int, seconds: float) -> float:
    """10^9 bytes per second, read and written, by as many threads."""
    available = read_memory()["available"] or 16 * COPY_BYTES
    count = max(1 << 20, min(COPY_BYTES, available // 16)) // threads
    pairs = [(np.ones(count, np.uint8), np.zeros(count, np.uint8)) for _ in range(threads)]

    def copy(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
        np.copyto(pair[1], pair[0])

    with ThreadPoolExecutor(threads) as pool:
        quickest = _quickest(lambda: list(pool.map(copy, pairs)), seconds)
    return 2 * count * threads / quickest / 1e9
