"""One image through every engine and precision, side by side in one run.

All sides take turns in short blocks, since machines drift, and each round gives ratios to
onnxruntime in FP32 on the graph as torch exports it. Large convolutions take their turns too: the
best speed seen of them is the machine's peak, and beside each side stands its share. Weights are
random. With --rivals, torch and OpenVINO's own quantiser (NNCF, if it is installed) stand beside
them. Run it alone on the machine:

    python benchmarks/inference.py [--encoder shufflenet] [--size 128x800] [--threads 2] [--json]
    python benchmarks/inference.py --rivals
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.script import run_script
from runtime.artifact.contract import INPUT_NAME, InputContract, ModelContract
from runtime.artifact.tiling import Tiling
from runtime.benchmark.frames import draw_frames
from runtime.errors import InputError
from runtime.machine import read_cpu
from runtime.session import Session, installed_engines, open_session
from runtime.session.opening import default_threads

SIZE = (128, 800)
THREADS = 2
PRECISIONS = ("fp32", "int8")
AS_EXPORTED, REWRITTEN = "as exported", "rewritten"
LABELS = tuple(f"class_{number}" for number in range(6))
# Speed over the reference of INT8 on the final graph, at SIZE and THREADS.
GOALS = {
    ("convnet", "openvino"): 3.6,
    ("convnet", "onnxruntime"): 2.8,
    ("shufflenet", "openvino"): 3.0,
    ("shufflenet", "onnxruntime"): 2.3,
}
CALIBRATION_IMAGES = 8
# An engine's threads go on spinning for a while and would slow the next one.
SETTLE_SECONDS = 0.02
# Channels, side of the map and side of the kernel of the layers that show the peak.
PEAK_SHAPES = ((256, 32, 3), (512, 32, 1))
PEAK_LAYERS = 6
PEAK_EVERY = 2


@dataclass
class Side:
    """One file in one engine.

    Args:
        engine: a key of `ENGINES`.
        precision: of the file.
        graph: as exported or rewritten, or who made it.
        session: warm.
        macs: multiply-accumulates of one image, counted on the network as trained.
        images: uint8 1×1×H×W each.
        blocks: median milliseconds of each block.
        best: milliseconds of the quickest run.
    """

    engine: str
    precision: str
    graph: str
    session: Session
    macs: int
    images: Sequence[NDArray[np.uint8]]
    blocks: list[float] = field(default_factory=list)
    best: float = float("inf")

    def take_turn(self, runs: int) -> None:
        """Let others come to rest, run twice unmeasured, then `runs` times."""
        time.sleep(SETTLE_SECONDS)
        times = []
        for run in range(-2, runs):
            image = self.images[run % len(self.images)]
            start = time.perf_counter_ns()
            self.session.infer(image)
            if run >= 0:
                times.append(time.perf_counter_ns() - start)
        self.blocks.append(statistics.median(times) / 1e6)
        self.best = min(self.best, min(times) / 1e6)


@dataclass(frozen=True)
class Row:
    """What is reported of a side.

    Args:
        engine: that ran it.
        precision: of the file.
        graph: as exported or rewritten.
        median_ms: of its blocks.
        best_ms: of its quickest run.
        best_ratio: quickest run against quickest run, which other load on the machine spoils less.
        ratio: speed over the reference, median of the rounds.
        low: tenth percentile of the rounds.
        high: ninetieth percentile.
        gmac_per_s: the trained network's products per second, at the median.
        share_of_peak: of the best speed seen at this precision in any engine.
        goal: for the ratio; 0 where there is none.
    """

    engine: str
    precision: str
    graph: str
    median_ms: float
    best_ms: float
    best_ratio: float
    ratio: float
    low: float
    high: float
    gmac_per_s: float
    share_of_peak: float
    goal: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--encoder", action="append", help="may be repeated")
    parser.add_argument("--size", type=_size, default=SIZE, help="HxW")
    parser.add_argument("--threads", type=int, default=min(THREADS, default_threads()))
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--runs", type=int, default=5, help="in each block")
    parser.add_argument("--rivals", action="store_true", help="torch, and OpenVINO with NNCF")
    parser.add_argument("--json", action="store_true", help="print one object instead of tables")
    arguments = parser.parse_args()
    cases = {}
    for encoder in arguments.encoder or ("convnet", "shufflenet"):
        cases[encoder] = measure(
            encoder,
            arguments.size,
            arguments.threads,
            arguments.rounds,
            arguments.runs,
            rivals=arguments.rivals,
        )
        if not arguments.json:
            show(encoder, cases[encoder])
    if arguments.json:
        threads, size = arguments.threads, list(arguments.size)
        report = {"cpu": read_cpu(), "threads": threads, "size": size, "cases": cases}
        json.dump(report, sys.stdout, indent=2)
        print()


def measure(
    encoder: str,
    size: tuple[int, int],
    threads: int,
    rounds: int,
    runs: int,
    *,
    rivals: bool = False,
) -> dict[str, Any]:
    """All sides of one encoder in turns, and large convolutions with them.

    Returns:
        `macs`, `rewrites`, `threads`, `size`, `load` (before and after), `peak` (GMAC/s by
        precision and engine) and `sides`.
    """
    engines = installed_engines()
    with tempfile.TemporaryDirectory(prefix="edgecl-inference-") as name, ExitStack() as stack:
        folder = Path(name)

        def opened(path: Path, engine: str, precision: str) -> Session:
            session = open_session(path, precision, engine=engine, threads=threads)
            return stack.enter_context(session)

        macs, rewrites, files = write_network(encoder, size, folder)
        images = [frame[None, None] for frame in draw_frames(*size, seed=1)]
        sides = [
            Side(engine, precision, graph, opened(path, engine, precision), macs, images)
            for (engine, precision, graph), path in files.items()
            if engine in engines
        ]
        if rivals:
            sides += [
                Side(engine, precision, graph, rival, macs, images)
                for engine, precision, graph, rival in _rivals(encoder, size, threads, files)
            ]
        peaks = [
            Side(engine, precision, "", opened(path, engine, precision), products, [image])
            for shape in PEAK_SHAPES
            for precision, path, products, image in write_layers(*shape, folder)
            for engine in engines
        ]
        load = [os.getloadavg()[0]]
        for turn in range(rounds):
            # Who goes first changes, so that nobody always inherits the same clock and cache.
            first = turn % len(sides)
            for side in (*sides[first:], *sides[:first]):
                side.take_turn(runs)
            if turn % PEAK_EVERY == 0:
                for side in peaks:
                    side.take_turn(2)
        load.append(os.getloadavg()[0])
    peak = {precision: dict.fromkeys(engines, 0.0) for precision in PRECISIONS}
    for side in peaks:
        speed = side.macs / side.best / 1e6
        peak[side.precision][side.engine] = max(peak[side.precision][side.engine], speed)
    goals = GOALS if (size, threads) == (SIZE, THREADS) else {}
    final = REWRITTEN if rewrites else AS_EXPORTED
    rows = []
    for side in sides:
        counts = (side.precision, side.graph) == ("int8", final)
        goal = goals.get((encoder, side.engine), 0.0) if counts else 0.0
        rows.append(asdict(_row(side, sides[0], max(peak[side.precision].values()), goal)))
    return {
        "macs": macs,
        "rewrites": list(rewrites),
        "threads": threads,
        "size": list(size),
        "load": load,
        "peak": peak,
        "sides": rows,
    }


def _rivals(
    encoder: str, size: tuple[int, int], threads: int, files: Mapping[tuple[str, str, str], Path]
) -> Iterator[tuple[str, str, str, Session]]:
    """Yield what others make of the network: engine, precision, graph, session."""
    from edgecl.rivals.sessions import NncfSession, TorchSession

    contract = ModelContract(InputContract(*size), LABELS)
    images = np.stack(draw_frames(*size, seed=2, count=CALIBRATION_IMAGES))[:, None]
    graph = files["onnxruntime", "fp32", AS_EXPORTED]
    classifier = _classifier(encoder, size)
    torch, nncf = partial(TorchSession, classifier, contract), partial(NncfSession, graph, images)
    for engine, precision, made, opener in (
        ("torch", "fp32", "eager", partial(torch, compiled=False)),
        ("torch", "fp32", "compiled", partial(torch, compiled=True)),
        ("openvino", "int8", "by NNCF", partial(nncf, contract)),
    ):
        try:
            yield engine, precision, made, opener(threads=threads)
        except InputError as error:
            print(f"{engine} {made} is left out: {error.problem}")


def _row(side: Side, reference: Side, peak: float, goal: float) -> Row:
    ratios = np.array(reference.blocks) / np.array(side.blocks)
    low, middle, high = (float(value) for value in np.percentile(ratios, (10, 50, 90)))
    median = statistics.median(side.blocks)
    speed = side.macs / median / 1e6
    return Row(
        *(side.engine, side.precision, side.graph, median, side.best, reference.best / side.best),
        *(middle, low, high, speed, speed / peak, goal),
    )


def show(encoder: str, case: Mapping[str, Any]) -> None:
    """Print one encoder's table."""
    height, width = case["size"]
    print(
        f"{encoder} {height}x{width}: {case['macs'] / 1e6:.0f} MMAC, {case['threads']} thread(s), "
        f"load {case['load'][0]:.1f} to {case['load'][1]:.1f}, "
        f"rewrites: {', '.join(case['rewrites']) or 'none'}"
    )
    for precision, speeds in case["peak"].items():
        seen = ", ".join(f"{engine} {speed:.0f}" for engine, speed in speeds.items())
        print(f"  peak {precision}: {seen} GMAC/s")
    for row in case["sides"]:
        goal = f", goal {row['goal']:g}x" if row["goal"] else ""
        print(
            f"  {row['engine']:12s}{row['precision']} {row['graph']:12s}"
            f"{row['median_ms']:8.3f} ms {row['ratio']:6.2f}x "
            f"({row['low']:.2f} to {row['high']:.2f}){goal}; quickest run {row['best_ms']:.3f} ms, "
            f"{row['best_ratio']:.2f}x; {row['gmac_per_s']:.0f} GMAC/s, "
            f"{row['share_of_peak']:.0%} of peak",
            flush=True,
        )


def write_network(
    encoder: str, size: tuple[int, int], folder: Path, tiling: Tiling | None = None
) -> tuple[int, tuple[str, ...], dict[tuple[str, str, str], Path]]:
    """Export an encoder in every form.

    Args:
        tiling: how frames are cut; None where they are stretched to `size`.

    Returns:
        Its multiply-accumulates, the rewrites that apply, and the files by engine, precision and
        graph; the reference first.
    """
    import onnx

    from calibration.ranges import collect_ranges
    from edgecl.encoders.complexity import count_macs
    from export.qdq.cpu import quantize_for_cpu
    from export.rewrites import apply
    from export.stages.onnx_graph import to_onnx

    classifier = _classifier(encoder, size)
    macs = count_macs(classifier.backbone.encoder, channels=1, image_size=size)
    exported = to_onnx(classifier, ModelContract(InputContract(*size, tiling=tiling), LABELS))
    rewritten, rewrites = apply(exported)
    graphs = {AS_EXPORTED: exported} | ({REWRITTEN: rewritten} if rewrites else {})
    images = np.stack(draw_frames(*size, seed=2, count=CALIBRATION_IMAGES))
    files = {}
    for engine in ("onnxruntime", "openvino"):
        for precision in PRECISIONS:
            for graph, model in graphs.items():
                path = folder / f"{encoder}-{engine}-{graph.replace(' ', '-')}.{precision}.onnx"
                if precision == "int8":
                    model = quantize_for_cpu(model, collect_ranges(model, images), engine=engine)
                onnx.save(model, path)
                files[engine, precision, graph] = path
    return macs, rewrites, files


def _classifier(encoder: str, size: tuple[int, int]) -> Any:
    import torch

    from edgecl.learning.model import Backbone, Classifier

    torch.manual_seed(0)
    return Classifier(Backbone(encoder, size), len(LABELS)).eval()


def write_layers(
    channels: int, side: int, kernel: int, folder: Path
) -> Iterator[tuple[str, Path, int, NDArray[np.uint8]]]:
    """Layers that do nothing but multiply: for each precision the file, its products, an image."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from calibration.ranges import collect_ranges
    from export.qdq.cpu import quantize_for_cpu

    rng = np.random.default_rng(0)
    # The image's rows become the channels, so that no other layer is needed before.
    shape = (channels, side * side)
    image = rng.integers(0, 256, (1, 1, *shape), np.uint8)
    spread = np.sqrt(2 / channels) / kernel
    values = {
        "map": np.array([-1, channels, side, side], np.int64),
        "white": np.array(255, np.float32),
        "flat": np.array([-1, channels], np.int64),
    }
    nodes = [
        helper.make_node("Reshape", [INPUT_NAME, "map"], ["square"]),
        helper.make_node("Cast", ["square"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float", "white"], ["relu"]),
    ]
    last = "relu"
    for layer in range(PEAK_LAYERS):
        weight = rng.normal(0, spread, (channels, channels, kernel, kernel))
        values[f"weight{layer}"] = weight.astype(np.float32)
        convolved, last_name = f"conv{layer}", f"relu{layer}"
        nodes += [
            helper.make_node(
                "Conv",
                [last, f"weight{layer}"],
                [convolved],
                convolved,
                kernel_shape=[kernel, kernel],
                pads=[kernel // 2] * 4,
            ),
            helper.make_node("Relu", [convolved], [last_name]),
        ]
        last = last_name
    nodes += [
        helper.make_node("GlobalAveragePool", [last], ["pooled"]),
        helper.make_node("Reshape", ["pooled", "flat"], ["embedding"]),
        helper.make_node("Softmax", ["embedding"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "peak",
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.UINT8, ["N", 1, *shape])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", channels])
            for name in ("probabilities", "embedding")
        ],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    labels = tuple(str(number) for number in range(channels))
    helper.set_model_props(model, ModelContract(InputContract(*shape), labels).to_metadata())
    products = PEAK_LAYERS * (channels * kernel * side) ** 2
    for precision in PRECISIONS:
        if precision == "int8":
            model = quantize_for_cpu(model, collect_ranges(model, image[0]))
        path = folder / f"peak-{kernel}x{kernel}.{precision}.onnx"
        onnx.save(model, path)
        yield precision, path, products, image


def _size(text: str) -> tuple[int, int]:
    height, width = (int(side) for side in text.split("x"))
    return height, width


if __name__ == "__main__":
    run_script(main)
