"""Knowledge of a bundle about its training images, read and verified; `export` writes it."""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.bundle import Bundle, artefact_name, manifest_beside
from runtime.artifact.manifest import Manifest
from runtime.artifact.tiling import MEAN
from runtime.errors import InputError
from runtime.novelty.conformal import conformal_limit
from runtime.novelty.drift import FAR_RATE
from runtime.novelty.space import TrainingSpace, image_distance

NOVELTY = "novelty.npz"
CENTRE, WITHIN, MEANS, OVERALL = "centre", "within", "means", "overall"
DISTANCES = "distances."
"""Before the name of a form: the distances of the validation images in it."""


@dataclass(frozen=True)
class Novelty:
    """Training images of a bundle, and from where on an image is unknown.

    Args:
        space: where the training images lie.
        limits: by form, the distance above which an image is unknown.
        distances: by form, those of the validation images, float32 n, ascending.
        combine: how an image's distance comes from its tiles': `mean` or `worst`, as their answers.
    """

    space: TrainingSpace
    limits: Mapping[str, float]
    distances: Mapping[str, NDArray[np.float32]]
    combine: str = MEAN

    @property
    def images(self) -> int:
        """Return the number of validation images."""
        return min(map(len, self.distances.values()))

    @cached_property
    def far(self) -> Mapping[str, float]:
        """Distance above which an image counts as far, relative to the limit; by form."""
        return {
            name: conformal_limit(self.distances[name], FAR_RATE) / limit
            for name, limit in self.limits.items()
        }

    def form(self, precision: str, target: str) -> str | None:
        """Return the form of the model that a session runs; None where nothing is known of it.

        Args:
            target: one of `runtime.artifact.bundle.TARGETS`.
        """
        names = (f"{precision}-{target}", artefact_name(precision, target))
        return next((name for name in names if name in self.limits), None)

    def relative_distance(self, embeddings: NDArray[np.float32], form: str) -> float:
        """Return how far an image is from the training images: 1 is the limit.

        Args:
            embeddings: float32, T×D, of its tiles, or of the one stretched image.
            form: see `form`.

        Returns:
            NaN where an embedding is not a number.
        """
        if len(embeddings) == 1:
            return self.space.distance(embeddings[0]) / self.limits[form]
        return image_distance(self.space.distances(embeddings), self.combine) / self.limits[form]


def novelty_beside(source: str | Path | Bundle, manifest: Manifest | None = None) -> Novelty | None:
    """Return what a bundle knows of its training images; None where it does not tell.

    Args:
        source: a bundle, or a file of one.
        manifest: beside the file; None to read it.

    Raises:
        InputError: it was changed after export, or is damaged.
    """
    if isinstance(source, Bundle):
        folder, manifest = source.path, source.manifest
    else:
        path = Path(source)
        folder = path if path.is_dir() else path.parent
        manifest = manifest or manifest_beside(path)
        if manifest is None:
            return None
    if manifest.novelty is None or NOVELTY not in manifest.files:
        return None
    return _read(folder / NOVELTY, manifest)


def _read(path: Path, manifest: Manifest) -> Novelty:
    record = manifest.novelty
    assert record is not None
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror})", hint="copy the whole bundle again"
        ) from error
    # Of a bundle this was verified before; of a lone file of one it was not.
    if hashlib.sha256(data).hexdigest() != manifest.files[NOVELTY].sha256:
        raise InputError(
            f"{path} was changed after export", hint="copy the bundle again, or export it again"
        )
    limits = {name: form.limit for name, form in record.forms.items()}
    if not limits:
        raise _unfit(path, "does not fit the manifest, which has no limit")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            space = TrainingSpace(file[CENTRE], file[WITHIN], file[MEANS], file[OVERALL])
            distances = {name: file[f"{DISTANCES}{name}"] for name in limits}
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _unfit(path, f"cannot be read ({error})") from error
    arrays = {**vars(space), **distances}
    for name, array in arrays.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise _unfit(path, f"contains {name} that are not finite float32")
    if not (
        space.centre.ndim == 1
        and space.within.ndim == space.means.ndim == space.overall.ndim == 2
        and len(space.within) == len(space.overall) == len(space.centre)
        and space.means.shape[1] == space.within.shape[1]
        and len(space.means)
    ):
        raise _unfit(path, "contains arrays that do not fit each other")
    for name, limit in limits.items():
        ascending = distances[name]
        if not (ascending.ndim == 1 and len(ascending) and (np.diff(ascending) >= 0).all()):
            raise _unfit(path, f"contains distances of {name} that are not ascending")
        if not (math.isfinite(limit) and limit > 0):
            raise _unfit(path, f"does not fit the manifest, whose limit of {name} is {limit}")
    tiling = manifest.contract.input.tiling
    return Novelty(space, limits, distances, MEAN if tiling is None else tiling.combine)


def _unfit(path: Path, why: str) -> InputError:
    return InputError(f"{path} {why}", hint="export the model again")
