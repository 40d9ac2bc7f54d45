"""Whether NVIDIA's own parser and builder take a graph, asked where no GPU is needed for it."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from export.engine.builder import BuildOptions, build_engine
from export.engine.modules import load_tensorrt
from runtime.errors import EdgeclError, InputError

MODULE = "tensorrt_rtx"
# A T4, and the desktop generation of an Orin's GPU, for which RTX does not compile itself.
CAPABILITIES = ("7.5", "8.6")


@dataclass(frozen=True)
class CompileTrial:
    """Result of a trial compilation.

    Args:
        builder: name and version of what compiled; empty where nothing is installed that could.
        reason: why the graph is refused; empty where it is taken.
    """

    builder: str = ""
    reason: str = ""


def try_compiling(model: bytes, *, where: str) -> CompileTrial:
    """Compile a graph with TensorRT for RTX, if it is installed, and throw the engine away.

    Args:
        model: the ONNX file's bytes.
        where: the file, for the reason.
    """
    if importlib.util.find_spec(MODULE) is None:
        return CompileTrial()
    try:
        trt = load_tensorrt(MODULE)
    except InputError:  # its libraries do not load here
        return CompileTrial()
    try:
        engine = build_engine(trt, model, BuildOptions(capabilities=CAPABILITIES), where=where)
    except EdgeclError as error:
        return CompileTrial(f"TensorRT for RTX {trt.__version__}", error.problem)
    return CompileTrial(engine.builder)
