"""The range of every activation, collected by running the FP32 graph on calibration pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod
from onnxruntime.quantization.calibrate import create_calibrator

from runtime.contract import INPUT_NAME

BATCH = 16
METHODS = {"minmax": CalibrationMethod.MinMax}

Ranges = Mapping[str, tuple[float, float]]
"""Tensor name to its lowest and highest value."""


def collect_ranges(
    model: onnx.ModelProto, images: NDArray[np.uint8], *, method: str = "minmax"
) -> Ranges:
    """Run `model` on `images` and take the range of every floating-point activation.

    Args:
        model: the FP32 graph, with the uint8 input of the contract.
        images: uint8, N×H×W, the calibration pictures.
        method: a key of `METHODS`.

    Returns:
        Ranges by tensor name.
    """
    with tempfile.TemporaryDirectory(prefix="edgecl-calibration-") as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        calibrator: Any = create_calibrator(
            path,
            augmented_model_path=str(Path(folder) / "augmented.onnx"),
            calibrate_method=METHODS[method],
        )
        calibrator.collect_data(_Pictures(images))
        collected = calibrator.compute_data()
        return {
            name: (float(np.min(low)), float(np.max(high)))
            for name, (low, high) in (
                (name, entry.range_value) for name, entry in collected.items()
            )
        }


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    """Feeds pictures to onnxruntime's calibrator, a batch at a time."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._batches: Iterator[NDArray[np.uint8]] = (
            images[start : start + BATCH, None] for start in range(0, len(images), BATCH)
        )

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT_NAME: batch}
