"""Figures of Zabin et al. 2023 on NEU, for comparison with the measured ones.

Taken on one random split of 1,260/270/270 images without seeds, through which overlapping
images leak, after pretraining on sets that hold half of NEU. Accuracy is a share; parameters
are as published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CLASSES = ("crazing", "inclusion", "patches", "pitted_surface", "rolled-in_scale", "scratches")


@dataclass(frozen=True)
class Published:
    """A row of the paper.

    Args:
        accuracy: 0 to 1.
        macro_f1: 0 to 1; None where the paper has none.
        parameters: in millions; None where the paper has none.
        contrastive_accuracy: at the end of pretraining, 0 to 1; likewise.
    """

    accuracy: float
    macro_f1: float | None = None
    parameters: float | None = None
    contrastive_accuracy: float | None = None


# (encoder, method) → row.
ROWS: Mapping[tuple[str, str], Published] = {
    ("squeezenet", "simclr"): Published(0.8889, 0.88, 0.13),
    ("resnet50", "simclr"): Published(0.9111, 0.91, 49.80),
    ("shufflenet", "simclr"): Published(0.9704, 0.97, 0.41, 0.86),
    ("skipconvnet", "simclr"): Published(0.9741, 0.97, 0.92),
    ("convnet", "simclr"): Published(0.9778, 0.98, 6.01, 0.91),
    ("convnet", "nnclr"): Published(0.9556, None, 5.85),
    ("skipconvnet", "nnclr"): Published(0.9704, None, 0.92),
    ("shufflenet", "nnclr"): Published(0.9592, None, 0.40),
    ("convnet", "none"): Published(0.9100),
    ("skipconvnet", "none"): Published(0.9200),
    ("shufflenet", "none"): Published(0.9481),
    ("inceptionv3", "none"): Published(0.9296, None, 24.0),
    ("resnet152", "none"): Published(0.8629, None, 60.0),
    ("vgg19", "none"): Published(0.6185, None, 138.0),
    ("resnet101-svm", "none"): Published(0.7023),
    ("cnn-lstm", "none"): Published(0.675, None, 1.2),
    ("vit-small", "none"): Published(0.930, None, 13.97),
}
