"""The paper's two augmentations, each as one affine warp and one gain per view.

Source: Zabin et al. 2023 and its code.

For SimCLR (`ZoomRecipe`): horizontal flip; a shift of up to ±z/2; a zoom in by U(−z, 0), height and
width apart, with z = 1 − √min_area and reflected edges; then colour jitter,
RGB × (I·U(1 ± b) + U(±j)) with a 3×3 matrix. On gray images a row of that product is a single
gain, U(1 ± b) plus three draws of U(±j), clipped to the range of the pixels.

For NNCLR (`CropRecipe`): horizontal flip; a crop with its share of the image and its ratio of
sides drawn at random, resized to the whole; brightness, a gain of U(1 ± b). Its authors leave the
crop on in evaluation; here it never is.

The same parameters give the same image, within rounding, by OpenCV on the CPU (one warp of
uint8 pixels per view) and by one batched `grid_sample` on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgecl.data.pixels.tiled import TiledImages
from edgecl.learning.compute.residency import upload
from edgecl.learning.config import TrainConfig, views_of
from edgecl.learning.contrastive.tile_views import TileRecipe, TileViews, view_tiles
from edgecl.learning.contrastive.warps import Views, affine, warp_on_device, warped, with_drift
from runtime.artifact.tiling import TILES as TILED


class Recipe(Protocol):
    """Strength of the augmentation."""

    def sample(
        self, count: int, image_size: tuple[int, int], rng: np.random.Generator
    ) -> Views | TileViews:
        """Draw the parameters of `count` views of images of `image_size` (height, width)."""
        ...


@dataclass(frozen=True)
class ZoomRecipe:
    """SimCLR's views.

    Args:
        min_area: the smallest share of the image that a view shows, in (0, 1].
        brightness: b of the gain, at least 0.
        jitter: j of the gain, at least 0.
    """

    min_area: float
    brightness: float
    jitter: float

    def sample(self, count: int, image_size: tuple[int, int], rng: np.random.Generator) -> Views:
        """Draw the parameters of `count` views of images of `image_size` (height, width)."""
        reach = 1.0 - np.sqrt(self.min_area)
        flip = np.where(rng.random(count) < 0.5, -1.0, 1.0)
        shift = rng.uniform(-reach / 2, reach / 2, (2, count))
        scale = 1.0 + rng.uniform(-reach, 0.0, (2, count))
        gains = rng.uniform(1 - self.brightness, 1 + self.brightness, count)
        gains += rng.uniform(-self.jitter, self.jitter, (3, count)).sum(axis=0)
        return Views(affine(image_size, flip, scale, shift), gains.astype(np.float32))


@dataclass(frozen=True)
class CropRecipe:
    """NNCLR's views.

    Args:
        min_area: the smallest share of the image that a view shows, in (0, 1].
        brightness: b of the gain, at least 0.
        max_ratio: the crop's width by its height, as shares of the image's, lies between
            1/`max_ratio` and `max_ratio`.
    """

    min_area: float
    brightness: float
    max_ratio: float = 4 / 3

    def sample(self, count: int, image_size: tuple[int, int], rng: np.random.Generator) -> Views:
        """Draw the parameters of `count` views of images of `image_size` (height, width)."""
        flip = np.where(rng.random(count) < 0.5, -1.0, 1.0)
        area = rng.uniform(self.min_area, 1.0, count)
        reach = np.log(self.max_ratio)
        ratio = np.exp(rng.uniform(-reach, reach, count))
        scale = np.clip(np.sqrt([area / ratio, area * ratio]), 0.0, 1.0)
        shift = (rng.random((2, count)) - 0.5) * (1 - scale)
        gains = rng.uniform(1 - self.brightness, 1 + self.brightness, count)
        return Views(affine(image_size, flip, scale, shift), gains.astype(np.float32))


@dataclass(frozen=True)
class DriftingRecipe:
    """Views of whole images as a drifting camera would take them.

    Args:
        plain: what else is done to them; a recipe for whole images.
        drift: of its amounts, all but `turns` and `gain`.
    """

    plain: Recipe
    drift: TileRecipe

    def sample(self, count: int, image_size: tuple[int, int], rng: np.random.Generator) -> Views:
        """Draw the parameters of `count` views of images of `image_size` (height, width)."""
        plain = _warps(self.plain.sample(count, image_size, rng))
        return with_drift(plain, self.drift.sample(count, image_size, rng), image_size)


@dataclass(frozen=True)
class Augmentation:
    """A method's two recipes."""

    contrastive: Recipe
    classification: Recipe

    def with_turns(self) -> Augmentation:
        """The same of parts that lie any way round; recipes for whole images stay as they are."""
        return Augmentation(
            *(
                replace(recipe, turns=True) if isinstance(recipe, TileRecipe) else recipe
                for recipe in (self.contrastive, self.classification)
            )
        )


ZOOM = Augmentation(
    contrastive=ZoomRecipe(min_area=0.25, brightness=0.6, jitter=0.2),
    classification=ZoomRecipe(min_area=0.75, brightness=0.3, jitter=0.1),
)
CROP = Augmentation(
    contrastive=CropRecipe(min_area=0.2, brightness=0.5),
    classification=CropRecipe(min_area=0.5, brightness=0.2),
)


AUGMENTATIONS = {"zoom": ZOOM, "crop": CROP}


TILES = Augmentation(contrastive=TileRecipe(gamma=0.4, gain=0.3), classification=TileRecipe())
"""Views at an image's own scale."""

_DRIFTING = TileRecipe(drifting=0.5, gamma=0.4, gain=0.3, share=0.35, zoom=0.1, angle=8.0)
ROBUST = Augmentation(contrastive=_DRIFTING, classification=_DRIFTING)
"""The same as a drifting camera would take them."""

_DRIFTING_WHOLE = replace(_DRIFTING, gain=0.0)
ROBUST_WHOLE = {
    name: Augmentation(
        *(DriftingRecipe(plain, _DRIFTING_WHOLE) for plain in (of.contrastive, of.classification))
    )
    for name, of in AUGMENTATIONS.items()
}
"""Views of whole images by name, likewise."""


def augmentation_of(method: str, views: str = "auto") -> Augmentation:
    """The views of whole images: a method's own, or those asked for by name."""
    return AUGMENTATIONS[views_of(method, views)]


def chosen_augmentation(config: TrainConfig) -> Augmentation:
    """The views that a run's choices name."""
    if config.geometry == TILED:
        views = ROBUST if config.robust else TILES
        return views.with_turns() if config.turns else views
    return (ROBUST_WHOLE if config.robust else AUGMENTATIONS)[views_of(config.method, config.views)]


def two_views(
    images: NDArray[np.uint8] | Tensor | TiledImages,
    recipe: Recipe,
    rng: np.random.Generator,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Two random views of each image, on `device`; a GPU warps all of them at once.

    Args:
        images: as `augment` takes them.

    Returns:
        Each uint8, N×1×H×W.
    """
    if device.type == "cpu" or isinstance(images, TiledImages):
        return augment(images, recipe, rng, device), augment(images, recipe, rng, device)
    count, height, width = images.shape
    first, second = (_warps(recipe.sample(count, (height, width), rng)) for _ in range(2))
    there = images if isinstance(images, Tensor) else upload(images, device)
    if first.drift is not None:
        return warped(there, first, device), warped(there, second, device)
    views = Views(
        np.concatenate([first.matrices, second.matrices]),
        np.concatenate([first.gains, second.gains]),
    )
    one, other = warp_on_device(there.repeat(2, 1, 1), views).chunk(2)
    return one, other


def augment(
    images: NDArray[np.uint8] | Tensor | TiledImages,
    recipe: Recipe,
    rng: np.random.Generator,
    device: torch.device,
) -> Tensor:
    """One random view of each image, on `device`.

    Args:
        images: uint8, N×H×W; a tensor where they are on the device already; or of any size,
            with a recipe for tiles.

    Returns:
        uint8, N×1×H×W, of the size of images or tiles.
    """
    if isinstance(images, TiledImages):
        tile_views = recipe.sample(len(images), images.tiling.tile, rng)
        assert isinstance(tile_views, TileViews)
        return upload(view_tiles(images, tile_views), device)
    count, height, width = images.shape
    return warped(images, _warps(recipe.sample(count, (height, width), rng)), device)


def _warps(views: Views | TileViews) -> Views:
    assert isinstance(views, Views)
    return views
