"""Session on onnxruntime's CPU provider: always there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from runtime.artifact.contract import INPUT_NAME, OUTPUT_NAMES, ModelContract
from runtime.counting import counted
from runtime.errors import InputError
from runtime.session.base import Outputs, Session

ort.set_default_logger_severity(4)


class OnnxRuntimeSession(Session):
    """An ONNX file in onnxruntime.

    Args:
        path: the ONNX file; its contract is read from its metadata.
        precision: the name to carry in reports.
        threads: threads inside one operator.

    Raises:
        InputError: the file is no ONNX model, or not one that edgecl exported.
    """

    engine = "onnxruntime"

    def __init__(self, path: Path, *, precision: str, threads: int) -> None:
        self.version = ort.__version__
        self.device = f"CPU ({counted(threads, 'thread')})"
        self.precision = precision
        options = session_options(threads)
        try:
            self._session: Any = ort.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own classes share no base below Exception
            raise InputError(
                f"{path} is not a model that onnxruntime {ort.__version__} can load "
                f"({first_line(error)})",
                hint="use a file written by 'edgecl export'",
            ) from error
        self.contract = ModelContract.from_metadata(
            self._session.get_modelmeta().custom_metadata_map, where=str(path)
        )

    def _infer(self, batch: NDArray[np.uint8]) -> Outputs:
        probabilities, embedding = self._session.run(list(OUTPUT_NAMES), {INPUT_NAME: batch})
        return Outputs(probabilities, embedding)

    def close(self) -> None:
        self._session = None


def session_options(threads: int) -> Any:
    """Options of every session, in a line and where its layers are timed."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return options


def first_line(error: Exception) -> str:
    """The first line of an engine's message, without its length."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
