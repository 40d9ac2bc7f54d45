"""Outputs of a network for images: as trained, and as exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from runtime.artifact.contract import ModelContract
from runtime.image.tiles import combine_images, sharpened
from runtime.session.base import Outputs
from runtime.session.opening import default_threads, open_session

BATCH = 32


def trained_answers(classifier: nn.Module, images: NDArray[np.uint8]) -> Outputs:
    """Probabilities and embeddings of a torch network in evaluation mode, computed in FP32.

    Args:
        classifier: maps uint8 N×1×H×W to (logits, embedding).
        images: uint8, N×H×W; tiles are images of their own here.
    """
    probabilities, embeddings = [], []
    with torch.no_grad():
        for start in range(0, len(images), BATCH):
            logits, embedding = classifier(torch.from_numpy(images[start : start + BATCH, None]))
            probabilities.append(torch.softmax(logits.float(), dim=1).numpy())
            embeddings.append(embedding.float().numpy())
    return Outputs(np.concatenate(probabilities), np.concatenate(embeddings))


def image_probabilities(
    probabilities: NDArray[np.float32], counts: NDArray[np.int64], contract: ModelContract
) -> NDArray[np.float32]:
    """Return the images' probabilities, float32 N×C, from those of their tiles, as on the line.

    Args:
        probabilities: float32, T×C, of all tiles, image after image; N×C of stretched images.
        counts: int64, N, how many tiles each image has.
    """
    tiling = contract.input.tiling
    if tiling is None:
        return probabilities
    combined = combine_images(probabilities, counts, tiling.combine, contract.passing)
    return sharpened(combined, tiling.sharpness)


def exported_answers(
    path: Path, precision: str, images: NDArray[np.uint8], *, engine: str = "onnxruntime"
) -> NDArray[np.float32]:
    """Probabilities of an ONNX file, float32 N×C.

    Raises:
        InputError: the engine cannot load the file.
    """
    return exported_outputs(path, precision, images, engine=engine).probabilities


def exported_outputs(
    path: Path, precision: str, images: NDArray[np.uint8], *, engine: str = "onnxruntime"
) -> Outputs:
    """Probabilities and embeddings of an ONNX file, float32 N×C and N×D.

    Images go in as on the line: tiles together, whole images one at a time. OpenVINO compiles a
    model of its own for either.

    Raises:
        InputError: the engine cannot load the file.
    """
    with open_session(path, precision, engine=engine, threads=default_threads()) as session:
        step = 1 if session.contract.input.tiling is None else BATCH
        found = [
            session.infer(images[start : start + step, None])
            for start in range(0, len(images), step)
        ]
    return Outputs(
        np.concatenate([each.probabilities for each in found]),
        np.concatenate([each.embedding for each in found]),
    )


def model_answers(
    model: onnx.ModelProto,
    images: NDArray[np.uint8],
    scratch: Path,
    *,
    engine: str = "onnxruntime",
) -> NDArray[np.float32]:
    """Probabilities of a model that is not on disk yet, for trials.

    Args:
        scratch: a folder for files that are gone afterwards.
    """
    path = scratch / "trial.onnx"
    onnx.save(model, path)
    try:
        return exported_answers(path, "trial", images, engine=engine)
    finally:
        path.unlink()
