"""Images whose truth is known, with a bundle's answers to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class JudgedImage:
    """An image with its truth and the model's answer.

    Args:
        file: its name.
        digest: SHA-256 of the file; empty where there is none.
        truth: its right label, which the model need not know.
        group: of images that show the same piece of metal.
        source: where it is from, in words.
        label: the model's; empty where it gave no usable answer.
        confidence: 0 to 1.
        unknown: whether it is too far from the training images.
    """

    file: str
    digest: str
    truth: str
    group: str
    source: str
    label: str
    confidence: float
    unknown: bool = False


@dataclass(frozen=True)
class JudgedGroups:
    """Groups of judged images, each counted once: its worst image speaks for it.

    Args:
        classes: N names, the truth of each group.
        passing: float64, N: the lowest threshold from which on no image of the group passes, as
            its confidence; -1 where none passes at any.
        held: float64, N: the lowest threshold from which on an image of the group does not pass;
            -1 where one passes at none.
        defect: bool, N.
    """

    classes: Sequence[str]
    passing: NDArray[np.float64]
    held: NDArray[np.float64]
    defect: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.classes)


def grouped(images: Sequence[JudgedImage], pass_labels: Sequence[str]) -> JudgedGroups:
    """Put images into their groups. Those of one group with two truths are two groups.

    Args:
        pass_labels: the labels that let a part pass.
    """
    # A frame passes from threshold 0 up to its confidence, if its label passes at all.
    found: dict[tuple[str, str], list[float]] = {}
    for image in images:
        passes = image.label in pass_labels and not image.unknown
        found.setdefault((image.group, image.truth), []).append(
            image.confidence if passes else -1.0
        )
    classes = [truth for _, truth in found]
    return JudgedGroups(
        classes,
        np.array([max(values) for values in found.values()], np.float64),
        np.array([min(values) for values in found.values()], np.float64),
        np.array([truth not in pass_labels for truth in classes], np.bool_),
    )
