"""Novelty of images: how far they are from everything that a model saw in training."""

from runtime.novelty.conformal import conformal_limit, conformal_rank, supported_rate, tail
from runtime.novelty.drift import DriftAlarm, DriftLevel
from runtime.novelty.reference import NOVELTY, Novelty, novelty_beside
from runtime.novelty.space import TrainingSpace, image_distances

__all__ = [
    "NOVELTY",
    "DriftAlarm",
    "DriftLevel",
    "Novelty",
    "TrainingSpace",
    "conformal_limit",
    "conformal_rank",
    "image_distances",
    "novelty_beside",
    "supported_rate",
    "tail",
]
