"""Sessions that no line runs: torch as it is and compiled, and OpenVINO's own quantiser."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from export.stages.onnx_graph import Deployable
from runtime.artifact.contract import ModelContract
from runtime.counting import counted
from runtime.errors import InputError
from runtime.session.base import Outputs, Session
from runtime.session.onnxruntime import first_line


class TorchSession(Session):
    """A classifier in torch.

    Args:
        classifier: maps uint8 N×1×H×W to (logits, embedding), in evaluation mode.
        contract: labels and input.
        threads: of torch, which has one number of them per process: it is set before each run.
        compiled: by `torch.compile`.

    Raises:
        InputError: torch cannot compile it here.
    """

    precision = "fp32"

    def __init__(
        self, classifier: nn.Module, contract: ModelContract, *, threads: int, compiled: bool
    ) -> None:
        self.engine = "torch.compile" if compiled else "torch"
        self.version = torch.__version__.partition("+")[0]
        self.device = f"CPU ({counted(threads, 'thread')})"
        self.contract = contract
        self._threads = threads
        module = Deployable(classifier).eval()
        self._module: Any = module
        if compiled:
            logging.getLogger("torch").setLevel(logging.ERROR)
            self._module = torch.compile(module)
        try:
            self.warm_up(1)
        except Exception as error:  # whatever its compiler says
            raise InputError(
                f"{self.engine} cannot run here ({first_line(error)})",
                hint="install a C++ compiler, or do without",
            ) from error

    def _infer(self, batch: NDArray[np.uint8]) -> Outputs:
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        with torch.inference_mode():
            probabilities, embedding = self._module(torch.from_numpy(batch))
        return Outputs(probabilities.numpy(), embedding.numpy())

    def close(self) -> None:
        self._module = None


class NncfSession(Session):
    """A graph as NNCF quantises it for OpenVINO, with its defaults.

    Args:
        graph: in FP32, an ONNX file.
        images: to calibrate with, uint8 N×1×H×W.
        contract: labels and input.
        threads: of inference.

    Raises:
        InputError: OpenVINO or NNCF is not installed.
    """

    engine = "nncf"
    precision = "int8"

    def __init__(
        self, graph: Path, images: NDArray[np.uint8], contract: ModelContract, *, threads: int
    ) -> None:
        try:
            import nncf

            from runtime.session.openvino import FixedBatch, compile_options, shared_core
        except ImportError as error:
            raise InputError(
                f"{error.name} is not installed", hint="pip install nncf 'edgecl[openvino]'"
            ) from error

        nncf.set_log_level(logging.ERROR)
        self.version = str(nncf.__version__)
        self.device = f"CPU ({counted(threads, 'thread')})"
        self.contract = contract
        model = shared_core().read_model(str(graph))
        calibrating: Sequence[NDArray[np.uint8]] = [image[None] for image in images]
        with redirect_stdout(io.StringIO()):  # its progress bar
            self._model = nncf.quantize(
                model, nncf.Dataset(calibrating), subset_size=len(calibrating)
            )
        self._make: Any = lambda count: FixedBatch(self._model, compile_options(threads), count)
        self._fixed: dict[int, Any] = {}
        self.warm_up(1)

    def _infer(self, batch: NDArray[np.uint8]) -> Outputs:
        if len(batch) not in self._fixed:  # in the warm-up
            self._fixed[len(batch)] = self._make(len(batch))
        return Outputs(*self._fixed[len(batch)](batch))

    def close(self) -> None:
        self._fixed = {}
