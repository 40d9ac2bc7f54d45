"""teacher.safetensors: what a teacher said, and the network that it taught, as it was before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from edgecl.learning.teachers.choice import TeacherCandidate
from runtime.errors import InputError
from runtime.files.atomic import replacing

TEACHER = "teacher.safetensors"
_FACTS = "teaching"
_LABELS, _TEST, _BEFORE = "labels", "test", "before."


@dataclass(frozen=True)
class Teaching:
    """A teacher's answers.

    Args:
        candidates: all that were compared, the best first; the first one is the teacher.
        measured_on: the images that they were compared on, in words.
        refused: why nobody is taught; empty where a student is.
        labels: float32, M×C, probabilities of the unlabelled images; none where it refuses.
        test: float32, T×C, those of the test part, which nobody has looked at yet.
        before: weights of the classifier that only saw labels.
    """

    candidates: tuple[TeacherCandidate, ...]
    measured_on: str
    refused: str
    labels: NDArray[np.float32]
    test: NDArray[np.float32]
    before: Mapping[str, Tensor]


def save_teaching(run: Path, teaching: Teaching) -> None:
    """Write teacher.safetensors into a run directory."""
    tensors = {f"{_BEFORE}{key}": value.contiguous() for key, value in teaching.before.items()}
    tensors[_LABELS] = torch.from_numpy(np.ascontiguousarray(teaching.labels))
    tensors[_TEST] = torch.from_numpy(np.ascontiguousarray(teaching.test))
    facts = {
        "candidates": [asdict(candidate) for candidate in teaching.candidates],
        "measured_on": teaching.measured_on,
        "refused": teaching.refused,
    }
    with replacing(run / TEACHER) as path:
        save_file(tensors, path, metadata={_FACTS: json.dumps(facts)})


def read_teaching(run: Path) -> Teaching | None:
    """Read teacher.safetensors; None where nobody was asked yet.

    Raises:
        InputError: the file is damaged.
    """
    path = run / TEACHER
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads(file.metadata()[_FACTS])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        return Teaching(
            candidates=tuple(TeacherCandidate(**entry) for entry in facts["candidates"]),
            measured_on=facts["measured_on"],
            refused=facts["refused"],
            labels=tensors.pop(_LABELS).numpy(),
            test=tensors.pop(_TEST).numpy(),
            before={key.removeprefix(_BEFORE): value for key, value in tensors.items()},
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is damaged, or was not written by edgecl",
            hint=f"delete it, and go on with 'edgecl train --resume --out {run}'",
        ) from error
