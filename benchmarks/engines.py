"""A TensorRT session against trtexec on the same engine, and against what else a GPU box has.

Without a bundle, ConvNet and ShuffleNet with random weights are exported at 128×800 (that needs
torch and onnx; their speed does not depend on what they learnt). Every engine is built for this
GPU. trtexec, torch.compile in FP16 and onnxruntime's CUDA provider take part where they are
installed; what is not is said. Run it alone on the machine:

    python benchmarks/engines.py [BUNDLE...] [--precision fp16] [--frames 10000]

It refuses to run without a GPU. The figures of a busy machine are worth nothing.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.script import run_script
from benchmarks.untrained import SIZE, export_untrained, untrained
from export.engine.ready import ready_engine
from export.engine.target import target_of
from runtime.artifact.bundle import Bundle, load_bundle
from runtime.artifact.contract import INPUT_NAME
from runtime.errors import InputError
from runtime.statistics import quantile

ENCODERS = ("convnet", "shufflenet")
WARM = 500
SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
# Where JetPack and NVIDIA's packages put it, beside the PATH.
TRTEXEC = ("trtexec", "/usr/src/tensorrt/bin/trtexec", "/opt/tensorrt/bin/trtexec")
RTX_TOOL = ("tensorrt_rtx",)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("bundles", type=Path, nargs="*", metavar="BUNDLE")
    parser.add_argument("--precision", action="append", choices=("fp32", "fp16", "int8"))
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--memory", default="auto", help="pycuda, cuda-bindings or auto")
    arguments = parser.parse_args()
    try:
        measure(arguments)
    except InputError as error:
        print(f"engines: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def measure(arguments: argparse.Namespace) -> None:
    """Every precision of every bundle.

    Raises:
        InputError: no GPU, no such bundle, or a model that cannot be built.
    """
    from runtime.gpu.probe import probe_gpu

    probe = probe_gpu()
    target = target_of(probe)
    print(f"{target.title}, {arguments.frames} frames a side, {WARM} before them not counted")
    with tempfile.TemporaryDirectory() as name:
        bundles = [load_bundle(path) for path in arguments.bundles] or [
            export_untrained(encoder, Path(name) / f"{encoder}.edgecl") for encoder in ENCODERS
        ]
        for bundle in bundles:
            wanted = arguments.precision or [n for n in bundle.tensorrt if n != "fp32"]
            for precision in wanted:
                path = ready_engine(bundle, precision, probe=probe, say=print)
                compare(bundle, precision, path, target.module, arguments)
        for encoder in () if arguments.bundles else ENCODERS:
            show(f"{encoder} fp16, torch.compile", compiled(encoder, arguments.frames))


def compare(
    bundle: Bundle, precision: str, engine: Path, module: str, arguments: argparse.Namespace
) -> None:
    """One engine: the session, then the others on the same model."""
    from runtime.session.tensorrt.session import TensorRtSession

    title = f"{bundle.name} {precision}"
    image = random_image(bundle.contract.input.shape)
    steps: dict[str, list[int]] = {"upload": [], "infer": [], "download": [], "all": []}
    with TensorRtSession(engine, precision=precision, memory=arguments.memory) as session:
        print(f"\n{title}: {session.describe()}")
        session.warm_up(WARM)
        for _ in range(arguments.frames):
            start = time.perf_counter_ns()
            _, taken = session.infer_timed(image)
            steps["all"].append(time.perf_counter_ns() - start)
            for name, nanoseconds in taken.items():
                steps[name].append(nanoseconds)
    show_steps(title, steps)
    reference = trtexec_infer_ms(engine, module=module)
    if reference is None:
        print("  trtexec: not here, or its table could not be read")
    else:
        own = quantile(np.sort(np.array(steps["infer"])), 0.5) / 1e6
        print(f"  trtexec infer p50 {reference:.4f} ms: the session takes {own / reference:.3f}×")
    model = bundle.onnx_path("fp16" if precision == "int8" else precision, target="tensorrt")
    show(f"{title}, onnxruntime-gpu on {model.name}", onnxruntime_gpu(model, arguments.frames))


def show_steps(title: str, steps: Mapping[str, Sequence[int]]) -> None:
    """Quantiles of each step, its share of the frame, and what is left for Python."""
    medians = {name: quantile(np.sort(np.array(times)), 0.5) for name, times in steps.items()}
    for name, times in steps.items():
        ordered = np.sort(np.array(times)) / 1e6
        figures = "  ".join(f"{k} {quantile(ordered, v):8.4f}" for k, v in SHARES.items())
        print(f"  {name:<9} {figures} ms  {medians[name] / medians['all']:6.1%} of a frame")
    gpu = np.array(steps["upload"]) + np.array(steps["infer"]) + np.array(steps["download"])
    beyond = np.sort(np.array(steps["all"]) - gpu) / 1e3
    infer = np.sort(np.array(steps["infer"]))
    print(
        f"  beyond the GPU's own time p50 {quantile(beyond, 0.5):.1f} µs a frame; "
        f"infer p99.9 is {quantile(infer, 0.999) / quantile(infer, 0.5):.2f}× its p50"
    )


def show(title: str, found: NDArray[np.int64] | str) -> None:
    """Quantiles of a whole frame, or why there are none."""
    if isinstance(found, str):
        print(f"  {title}: {found}")
        return
    ordered = np.sort(found) / 1e6
    figures = "  ".join(f"{k} {quantile(ordered, v):8.4f}" for k, v in SHARES.items())
    print(f"  {title}: a frame, copies included: {figures} ms")


def find_trtexec(module: str = "tensorrt") -> str | None:
    """NVIDIA's own tool for engines of that module; None where it is not installed."""
    names = RTX_TOOL if module == "tensorrt_rtx" else TRTEXEC
    return next(filter(None, map(shutil.which, names)), None)


def trtexec_infer_ms(engine: Path, *, module: str = "tensorrt") -> float | None:
    """The median time on the GPU that NVIDIA's own tool measures, for single images.

    Returns:
        Milliseconds; None where the tool is not here, does not take the engine, or prints another
        table than it does today.
    """
    from runtime.artifact.engine_file import read_engine_file

    tool = find_trtexec(module)
    if tool is None:
        return None
    height, width = read_engine_file(engine).contract.input.shape
    done = subprocess.run(
        [
            tool,
            f"--loadEngine={engine}",
            f"--shapes={INPUT_NAME}:1x1x{height}x{width}",
            "--useCudaGraph",
            "--useSpinWait",
            "--warmUp=1000",
            "--duration=5",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return gpu_median(done.stdout) if done.returncode == 0 else None


def gpu_median(text: str) -> float | None:
    """The median of the line `GPU Compute Time` in what trtexec prints, in milliseconds."""
    found = re.search(r"GPU Compute Time:.*?median = ([0-9.]+) ms", text)
    return float(found[1]) if found else None


def onnxruntime_gpu(model: Path, frames: int) -> NDArray[np.int64] | str:
    """Nanoseconds of each frame in onnxruntime's CUDA provider, or why there are none."""
    import onnxruntime as ort

    provider = "CUDAExecutionProvider"
    if provider not in ort.get_available_providers():
        return "this onnxruntime has no CUDA provider"
    session = ort.InferenceSession(str(model), providers=[provider])
    # It falls back to the CPU without a word.
    if session.get_providers()[0] != provider:
        return "onnxruntime fell back to the CPU"
    height, width = session.get_inputs()[0].shape[2:]
    feeds = {INPUT_NAME: random_image((height, width))}
    return timed(lambda: session.run(None, feeds), frames)


def compiled(encoder: str, frames: int) -> NDArray[np.int64] | str:
    """Nanoseconds of each frame in torch.compile, FP16, or why there are none."""
    try:
        import torch
    except ImportError:
        return "torch is not installed"
    if not torch.cuda.is_available():
        return "this torch sees no GPU"
    model: Any = torch.compile(untrained(encoder).half().cuda(), mode="max-autotune")
    image = torch.from_numpy(random_image(SIZE)).pin_memory()

    def frame() -> None:
        logits, embedding = model(image.cuda(non_blocking=True))
        logits.cpu(), embedding.cpu()

    with torch.inference_mode():
        return timed(frame, frames)


def timed(frame: Callable[[], Any], frames: int) -> NDArray[np.int64]:
    """Nanoseconds of each of so many frames, after a warm-up."""
    for _ in range(WARM):
        frame()
    times = np.empty(frames, np.int64)
    for place in range(frames):
        start = time.perf_counter_ns()
        frame()
        times[place] = time.perf_counter_ns() - start
    return times


def random_image(size: tuple[int, int]) -> NDArray[np.uint8]:
    """One image of noise, uint8 1×1×H×W."""
    return np.random.default_rng(0).integers(0, 256, (1, 1, *size), np.uint8)


if __name__ == "__main__":
    run_script(main)
