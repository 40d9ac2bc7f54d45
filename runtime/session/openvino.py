"""Session on OpenVINO: the faster CPU engine on x86."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from runtime.contract import METADATA_KEY, OUTPUT_NAMES, ModelContract
from runtime.errors import InputError
from runtime.session.base import Outputs, Session


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
        self.device = f"CPU ({threads} thread{'s' if threads > 1 else ''})"
        self.precision = precision
        core = _core()
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            # Two models of one process would pin themselves to the same cores.
            "ENABLE_CPU_PINNING": False,
            # Left alone, OpenVINO computes float layers in bf16 where the CPU can: a precision
            # that no gate has looked at.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        try:
            model = core.read_model(str(path))
            self.contract = _contract(model, path)
            self._request: Any = core.compile_model(model, "CPU", options).create_infer_request()
        except RuntimeError as error:
            line = str(error).strip().splitlines()[-1][:160]
            raise InputError(
                f"{path} is not a model that OpenVINO {self.version} can load ({line})",
                mend="give a file that 'edgecl export' wrote",
            ) from error

    def _infer(self, batch: NDArray[np.uint8]) -> Outputs:
        results = self._request.infer([batch], share_inputs=True)
        probabilities, embedding = (results[name] for name in OUTPUT_NAMES)
        return Outputs(probabilities, embedding)

    def close(self) -> None:
        self._request = None


@cache
def _core() -> Any:
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
