"""Session on OpenVINO: the faster CPU engine on x86."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from runtime.artifact.contract import METADATA_KEY, OUTPUT_NAMES, ModelContract
from runtime.counting import counted
from runtime.errors import InputError
from runtime.session.base import Outputs, Session, batch_sizes

WHOLE = 8
"""Batch of tiles that is compiled before a frame's size is known."""


class OpenVinoSession(Session):
    """An ONNX file compiled by OpenVINO for the CPU.

    Args:
        path: the ONNX file; its contract is read from its metadata.
        precision: the name to carry in reports.
        threads: inference threads.

    Raises:
        InputError: the file is no ONNX model, or not one that edgecl exported.
    """

    engine = "openvino"

    def __init__(self, path: Path, *, precision: str, threads: int) -> None:
        self.version = ov.__version__.split("-")[0]
        self.device = f"CPU ({counted(threads, 'thread')})"
        self.precision = precision
        core = shared_core()
        self._options = compile_options(threads)
        try:
            self._model: Any = core.read_model(str(path))
            self.contract = _contract(self._model, path)
            self._single: Any = FixedBatch(self._model, self._options)
            self._fixed: dict[int, Any] = {1: self._single}
            if self.contract.input.tiling is not None:
                self._fixed[WHOLE] = FixedBatch(self._model, self._options, WHOLE)
        except RuntimeError as error:
            line = telling_line(str(error))
            raise InputError(
                f"{path} is not a model that OpenVINO {self.version} can load ({line})",
                hint="use a file written by 'edgecl export'",
            ) from error
        self._batches: Any = None

    def prepare(self, tiles: int) -> None:
        """Compile for the very batches of such a frame: up to a fifth quicker."""
        if self.contract.input.tiling is None:
            return
        wanted = set(batch_sizes(tiles, self.batches[1]))
        for size in set(self._fixed) - wanted - {1, WHOLE}:
            del self._fixed[size]
        for size in wanted - set(self._fixed):
            self._fixed[size] = FixedBatch(self._model, self._options, size)

    def _infer(self, batch: NDArray[np.uint8]) -> Outputs:
        if self.contract.input.tiling is not None:
            return self._infer_tiles(batch)
        if len(batch) == 1:
            return Outputs(*self._single(batch))
        if self._batches is None:  # the line never asks for them, so it does not wait for this
            compiled = shared_core().compile_model(self._model, "CPU", self._options)
            self._batches = compiled.create_infer_request()
        results = self._batches.infer([batch], share_inputs=True)
        probabilities, embedding = (results[name] for name in OUTPUT_NAMES)
        return Outputs(probabilities, embedding)

    def _infer_tiles(self, batch: NDArray[np.uint8]) -> Outputs:
        """Run a batch that was prepared for; of another, whole ones of `WHOLE`, and what is left.

        A batch of any size would be compiled anew for each number of tiles, in the middle of the
        stream, and run slower.
        """
        exact = self._fixed.get(len(batch))
        if exact is not None:
            return Outputs(*exact(batch))
        whole = len(batch) - len(batch) % WHOLE
        sizes = [WHOLE] * (whole // WHOLE) + [1] * (len(batch) - whole)
        parts, done = [], 0
        for size in sizes:
            parts.append(self._fixed[size](batch[done : done + size]))
            done += size
        return Outputs(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def close(self) -> None:
        self._model = self._single = self._batches = None
        self._fixed = {}


def compile_options(threads: int) -> dict[str, Any]:
    """Options of every model, in a line and where its layers are timed."""
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        # Two models of one process would pin themselves to the same cores.
        "ENABLE_CPU_PINNING": False,
        # Left alone, OpenVINO computes float layers in bf16 where the CPU can: a precision
        # that no gate has looked at.
        "INFERENCE_PRECISION_HINT": "f32",
    }


class FixedBatch:
    """A batch of fixed size, compiled for its very shape: a fifth quicker than for any batch.

    Input and outputs stay where they are; wrapping them anew takes a tenth of a small network's
    time.
    """

    def __init__(self, model: Any, options: Mapping[str, Any], count: int = 1) -> None:
        fixed = model.clone()
        shape = fixed.input(0).partial_shape
        shape[0] = count
        fixed.reshape(shape)
        compiled = shared_core().compile_model(fixed, "CPU", options)
        self._request = compiled.create_infer_request()
        self._input = self._request.get_input_tensor(0).data
        self._outputs = [self._request.get_tensor(compiled.output(name)) for name in OUTPUT_NAMES]

    def __call__(self, batch: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        np.copyto(self._input, batch)
        self._request.infer(share_outputs=True)
        return [tensor.data.copy() for tensor in self._outputs]


def telling_line(message: str) -> str:
    """The line of OpenVINO's message that names what it lacks, else the last one."""
    lines = [line.strip() for line in message.strip().splitlines()] or [""]
    summary = [line.removeprefix("-- ") for line in lines if line.startswith("-- ")]
    return (summary or lines)[-1][:160]


@cache
def shared_core() -> Any:
    """One core for the process, never freed.

    Each core brings a signal stack and on its end puts back the one it found. Cores that end out
    of order leave a freed one behind, and the next Ctrl-C is a segmentation fault (2026.4).
    """
    return ov.Core()


def _contract(model: Any, path: Path) -> ModelContract:
    try:
        text = model.get_rt_info(["framework", METADATA_KEY]).astype(str)
    except RuntimeError:
        return ModelContract.from_metadata({}, where=str(path))
    return ModelContract.from_metadata({METADATA_KEY: text}, where=str(path))
