"""The plain loop that people write against edgecl's pipeline, side by side in one run.

Both judge the same Motion JPEG file with the same network, by default in INT8. Machines drift, so
the two alternate and each pair gives a ratio. Run it alone on the machine:

    python benchmarks/pipeline.py [--model BUNDLE] [--engine onnxruntime] [--pairs 7] [--workers 2]
    python benchmarks/pipeline.py --model BUNDLE --frame line --plain-precision fp32
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.script import run_script
from runtime.artifact.contract import INPUT_NAME, InputContract, ModelContract
from runtime.benchmark.frames import draw_frames
from runtime.camera import open_camera
from runtime.health import HealthLimits
from runtime.session import Session, open_session
from runtime.session.opening import default_threads
from runtime.stream.budget import DECIDE, EMIT, HEALTH, PREPROCESS, QUEUE
from runtime.stream.ledger import Snapshot
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.sharing.pool import SessionPool
from runtime.stream.sinks import JsonLinesSink
from runtime.stream.verdict import read_verdicts

HD = (1080, 1920)
LINE_CAMERA = (256, 1600)
MODEL_SHAPE = (128, 800)
LABELS = tuple(f"class_{number}" for number in range(6))
VERDICTS = "verdicts.jsonl"
OWN_STEPS = (HEALTH, QUEUE, PREPROCESS, DECIDE, EMIT)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", type=Path, help="a bundle; its input is uint8 for both sides")
    parser.add_argument("--precision", default="int8", help="of --model")
    parser.add_argument("--plain-precision", help="likewise of the plain loop; the same without it")
    parser.add_argument("--frame", choices=("hd", "line"), default="hd", help="1080p or 1600x256")
    parser.add_argument("--engine", default="onnxruntime", help="of the pipeline")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--workers", type=int, default=1, help="sessions of the pipeline")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = write_video(folder / "hd.avi", HD, arguments.frames)
        line = write_video(folder / "line.avi", LINE_CAMERA, 4 * arguments.frames)
        if arguments.model is None:
            model = write_int8_model(folder / "convnet.int8.onnx", channels=128)
            plain_model = write_int8_model(folder / "plain.onnx", channels=128, floats=True)
            source: Path = model
        else:
            source = arguments.model
            with open_session(source, arguments.precision, engine="onnxruntime") as session:
                print(f"model: {session.describe()}")
            plain_model = source / f"model.{arguments.plain_precision or arguments.precision}.onnx"
        workers = arguments.workers
        threads = max(1, (default_threads() - 1) // workers)
        print(
            f"cores {default_threads()}, pipeline: {workers} worker(s), {threads} thread(s) each, "
            f"{arguments.engine}; plain loop: onnxruntime with its defaults"
        )
        precision = "auto" if arguments.model is None else arguments.precision
        with ExitStack() as stack:
            sessions = [
                stack.enter_context(
                    open_session(source, precision, engine=arguments.engine, threads=threads)
                )
                for _ in range(workers)
            ]
            judged = video if arguments.frame == "hd" else line
            compare(judged, plain_model, sessions, folder, arguments.pairs)
        small = write_int8_model(folder / "small.int8.onnx", channels=8)
        with open_session(small, engine="onnxruntime", threads=threads) as session:
            show_overhead(line, session, folder)


def compare(
    video: Path, plain_model: Path, sessions: Sequence[Session], folder: Path, pairs: int
) -> list[float]:
    """Alternate plain loop and pipeline; print frames/s of each pair and their ratio."""
    plain = plain_loop(plain_model, sessions[0].contract.labels)
    ratios = []
    for pair in range(-1, pairs):
        # The first pair warms up. Who goes first changes, so that neither always inherits the
        # other's clock and cache.
        if pair % 2:
            fast = run_pipeline(video, sessions, folder)[0]
            slow, said = plain(video)
        else:
            slow, said = plain(video)
            fast = run_pipeline(video, sessions, folder)[0]
        if pair >= 0:
            ratios.append(fast / slow)
            print(
                f"pair {pair}: plain {slow:6.1f}  pipeline {fast:6.1f} frames/s  {ratios[-1]:.2f}x"
            )
    print(f"median ratio {statistics.median(ratios):.2f}x (min {min(ratios):.2f})")
    verdicts = sorted(read_verdicts(folder / VERDICTS), key=lambda verdict: verdict.frame)
    alike = [ours.label == theirs for ours, theirs in zip(verdicts, said, strict=True)]
    print(f"the same answer for {sum(alike)} of {len(alike)} frames")
    return ratios


def plain_loop(model: Path, labels: Sequence[str]) -> Callable[[Path], tuple[float, list[str]]]:
    """read, cvtColor, resize, float in numpy, run: one after the other."""
    session = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    floats = session.get_inputs()[0].type == "tensor(float)"
    height, width = session.get_inputs()[0].shape[2:]

    def judge(video: Path) -> tuple[float, list[str]]:
        capture = cv2.VideoCapture(str(video))
        said = []
        start = time.perf_counter()
        while True:
            ok, frame = capture.read()
            if not ok:
                break
            gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
            image: NDArray[Any] = cv2.resize(gray, (width, height))
            if floats:
                image = image.astype(np.float32) / 255
            probabilities = session.run(None, {INPUT_NAME: image[None, None]})[0]
            said.append(labels[int(probabilities.argmax())])
        return len(said) / (time.perf_counter() - start), said

    return judge


def run_pipeline(video: Path, sessions: Sequence[Session], folder: Path) -> tuple[float, Snapshot]:
    """The pipeline as `edgecl run` has it, a worker per session, verdicts on the disk included."""
    one = sessions[0] if len(sessions) == 1 else SessionPool(sessions).for_camera("camera")
    verdicts = folder / VERDICTS
    verdicts.unlink(missing_ok=True)
    with open_camera(str(video)) as camera:
        sink = JsonLinesSink(verdicts)
        settings = Settings(health=HealthLimits())
        pipeline = Pipeline(camera, one, settings, [sink], workers=len(sessions), own_process=True)
        pipeline.start()
        pipeline.wait()
        snapshot = pipeline.finish()
        sink.close()
    return snapshot.judged / pipeline.seconds, snapshot


def show_overhead(video: Path, session: Session, folder: Path) -> None:
    """Print what a 1600×256 frame costs beside capture and inference.

    The model is small, so that the judge waits for frames: `queue` is the hand-over alone.
    """
    snapshots = [run_pipeline(video, [session], folder)[1] for _ in range(4)][1:]
    for snapshot in snapshots:
        steps = {step: snapshot.histograms[step] for step in OWN_STEPS}
        parts = ", ".join(
            f"{step} {times.percentile(0.5) / 1e6:.3f}" for step, times in steps.items()
        )
        middle = sum(times.percentile(0.5) for times in steps.values()) / 1e6
        mean = sum(times.total / times.count for times in steps.values()) / 1e6
        print(f"own time per 1600x256 frame: {middle:.3f} ms (mean {mean:.3f}): {parts}")


def write_video(path: Path, shape: tuple[int, int], frames: int) -> Path:
    """A texture that moves, as Motion JPEG."""
    height, width = shape
    texture = np.hstack(draw_frames(height, width, seed=1, count=2))
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter.fourcc(*"MJPG"), 30.0, (width, height)
    )
    writer.set(cv2.VIDEOWRITER_PROP_QUALITY, 90)
    for number in range(frames):
        window = texture[:, (at := 16 * number % width) : at + width]
        writer.write(cv2.cvtColor(window, cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


def write_int8_model(
    path: Path, *, channels: int, floats: bool = False, shape: tuple[int, int] = MODEL_SHAPE
) -> Path:
    """A random network of the paper's shape, quantised as the CPU likes it (u8 by s8).

    Args:
        path: where to.
        channels: of each of the four convolutions, 3×3 with stride 2.
        floats: take float32 in 0 to 1, as the plain loop's model does, instead of uint8.
        shape: (height, width) of its input.
    """
    from onnx import save
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    source = path.with_suffix(".fp32")
    model = _network(channels, floats, shape)
    save(model, source)

    class Images(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches: Iterator[NDArray[Any]] = iter(
                (image[None, None].astype(np.float32) / 255 if floats else image[None, None])
                for image in draw_frames(*shape, seed=2, count=4)
            )

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            batch = next(self._batches, None)
            return None if batch is None else {INPUT_NAME: batch}

    logging.disable(logging.WARNING)  # its advice is for models that are kept
    try:
        quantize_static(
            source,
            path,
            Images(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv"],
        )
    finally:
        logging.disable(logging.NOTSET)
    return path


def _network(channels: int, floats: bool, shape: tuple[int, int]) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    contract = ModelContract(InputContract(*shape), LABELS)
    constants: dict[str, NDArray[Any]] = {"white": np.array(255, np.float32)}
    nodes = []
    last = INPUT_NAME
    if not floats:
        nodes += [
            helper.make_node("Cast", [last], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Div", ["float", "white"], ["scaled"]),
        ]
        last = "scaled"
    before = 1
    for layer in range(4):
        spread = np.sqrt(2 / (9 * before))
        weights = rng.normal(0, spread, (channels, before, 3, 3))
        constants[f"weights{layer}"] = weights.astype(np.float32)
        constants[f"bias{layer}"] = np.zeros(channels, np.float32)
        nodes += [
            helper.make_node(
                "Conv",
                [last, f"weights{layer}", f"bias{layer}"],
                [f"conv{layer}"],
                strides=[2, 2],
                pads=[1, 1, 1, 1],
            ),
            helper.make_node("Relu", [f"conv{layer}"], [f"relu{layer}"]),
        ]
        last, before = f"relu{layer}", channels
    for name, width in (("embedding", 128), ("logits", len(LABELS))):
        inputs = channels if name == "embedding" else 128
        constants[f"{name}_weights"] = rng.normal(0, 0.1, (inputs, width)).astype(np.float32)
    nodes += [
        helper.make_node("GlobalAveragePool", [last], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "embedding_weights"], ["embedding"]),
        helper.make_node("MatMul", ["embedding", "logits_weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    kind = TensorProto.FLOAT if floats else TensorProto.UINT8
    graph = helper.make_graph(
        nodes,
        "convnet",
        [helper.make_tensor_value_info(INPUT_NAME, kind, [1, 1, *shape])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, len(LABELS)]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, 128]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    helper.set_model_props(model, contract.to_metadata())
    return model


if __name__ == "__main__":
    run_script(main)
