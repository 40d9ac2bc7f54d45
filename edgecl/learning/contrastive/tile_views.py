"""Views at an image's own scale: random crops of a tile's size, mirrored, turned and as a drifting
camera would see them.

A resize is not among them by default. Random resized crops skew the scale of texture between
training and test (Touvron et al., "Fixing the train-test resolution discrepancy", NeurIPS 2019),
and on metal surfaces that scale is most of what tells classes apart.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecl.data.camera_shifts import blurred, compressed, exposed, noisy
from edgecl.data.pixels.tiled import TiledImages
from runtime.image.tiles import padded

ORIENTATIONS = 8


@dataclass(frozen=True)
class TileViews:
    """Parameters of N views; all but `place` and `orientation` are 0 where nothing is done.

    Args:
        place: float64, N×2, where the crop lies: from 0 (top, left) to 1 (bottom, right).
        orientation: int64, N, 0 to 7: quarter turns, and from 4 on mirrored first.
        gamma, gain: float64, N, the natural logarithms of the exponent and the factor.
        blur, noise: float64, N, deviations in pixels and in gray levels.
        quality: int64, N, of a JPEG.
        zoom, angle: float64, N, logarithm of the enlargement, and degrees.
        seed: int64, N, of the noise.
    """

    place: NDArray[np.float64]
    orientation: NDArray[np.int64]
    gamma: NDArray[np.float64]
    gain: NDArray[np.float64]
    blur: NDArray[np.float64]
    noise: NDArray[np.float64]
    quality: NDArray[np.int64]
    zoom: NDArray[np.float64]
    angle: NDArray[np.float64]
    seed: NDArray[np.int64]

    def take(self, rows: slice) -> TileViews:
        """Return the views of some rows."""
        return TileViews(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})


@dataclass(frozen=True)
class TileRecipe:
    """Strength of the views of tiles.

    Args:
        turns: also turn views by a quarter, which a strip under a camera never does: its rolling
            direction tells classes apart.
        drifting: share of the views that all but `gamma` and `gain` may change. A rotated or
            enlarged crop is interpolated, which smooths away the texture of clean images: a
            network that never sees them as they are is worse on them.
        gamma: the exponent lies between exp(−`gamma`) and exp(`gamma`).
        gain: likewise the factor of the exposure.
        share: of the views that are blurred; as large a share is noisy, and compressed.
        blur: largest deviation, in pixels.
        noise: largest deviation, in gray levels.
        quality: lowest quality of a JPEG, 1 to 100.
        zoom: the enlargement lies between exp(−`zoom`) and exp(`zoom`).
        angle: largest rotation, in degrees.
    """

    turns: bool = False
    drifting: float = 1.0
    gamma: float = 0.0
    gain: float = 0.0
    share: float = 0.0
    blur: float = 2.0
    noise: float = 12.0
    quality: int = 20
    zoom: float = 0.0
    angle: float = 0.0

    def sample(
        self, count: int, image_size: tuple[int, int], rng: np.random.Generator
    ) -> TileViews:
        """Draw the parameters of `count` views of tiles of `image_size` (height, width)."""
        changed = np.ones(count, bool)
        if self.drifting < 1:
            changed = rng.random(count) < self.drifting

        def some(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.where(changed & (rng.random(count) < self.share), values, 0.0)

        def within(reach: float) -> NDArray[np.float64]:
            return np.where(changed, rng.uniform(-reach, reach, count), 0.0)

        orientation = rng.integers(0, ORIENTATIONS, count)
        if not self.turns or image_size[0] != image_size[1]:
            orientation -= orientation % 2  # a quarter turn lays the tile on its side
        return TileViews(
            place=rng.random((count, 2)),
            orientation=orientation,
            gamma=rng.uniform(-self.gamma, self.gamma, count),
            gain=rng.uniform(-self.gain, self.gain, count),
            blur=some(rng.uniform(0.3, self.blur, count)),
            noise=some(rng.uniform(1.0, self.noise, count)),
            quality=some(rng.uniform(self.quality, 95, count)).astype(np.int64),
            zoom=within(self.zoom),
            angle=within(self.angle),
            seed=rng.integers(0, 2**62, count),
        )


def view_tiles(images: TiledImages, views: TileViews) -> NDArray[np.uint8]:
    """Return one view of each image.

    Args:
        images: N of them.
        views: their parameters.

    Returns:
        uint8, N×1×h×w.
    """
    height, width = images.tiling.tile
    out = np.empty((len(images), 1, height, width), np.uint8)
    for row, (image, view) in enumerate(zip(images, out, strict=True)):
        view[0] = _view(padded(image, (height, width)), (height, width), views, row)
    return out


def _view(
    image: NDArray[np.uint8], tile: tuple[int, int], views: TileViews, row: int
) -> NDArray[np.uint8]:
    return drifted(_turned(_crop(image, tile, views, row), int(views.orientation[row])), views, row)


def drifted(tile_view: NDArray[np.uint8], views: TileViews, row: int) -> NDArray[np.uint8]:
    """Return one view blurred, exposed, noisy and compressed, as far as its parameters say.

    Args:
        tile_view: uint8, h×w.
        views: parameters of several views.
        row: which of them.
    """
    if views.blur[row]:
        tile_view = blurred(tile_view, float(views.blur[row]))
    if views.gamma[row] or views.gain[row]:
        gain, gamma = np.exp(views.gain[row]), np.exp(views.gamma[row])
        tile_view = exposed(tile_view, float(gain), float(gamma))
    if views.noise[row]:
        rng = np.random.default_rng(int(views.seed[row]))
        tile_view = noisy(tile_view, float(views.noise[row]), rng)
    if views.quality[row]:
        tile_view = compressed(np.ascontiguousarray(tile_view), int(views.quality[row]))
    return tile_view


def _crop(
    image: NDArray[np.uint8], tile: tuple[int, int], views: TileViews, row: int
) -> NDArray[np.uint8]:
    free = [length - side for length, side in zip(image.shape, tile, strict=True)]
    top, left = (
        min(int(place * (spare + 1)), spare)
        for place, spare in zip(views.place[row], free, strict=True)
    )
    if not views.zoom[row] and not views.angle[row]:
        return image[top : top + tile[0], left : left + tile[1]]
    # From the view to the image: about the crop's middle.
    turn = turning(views, row)
    middle = np.array([(tile[1] - 1) / 2, (tile[0] - 1) / 2])
    matrix = np.column_stack((turn, middle + np.array([left, top]) - turn @ middle))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(
            image, matrix, (tile[1], tile[0]), flags=flags, borderMode=cv2.BORDER_REFLECT
        ),
        np.uint8,
    )


def turning(views: TileViews, row: int) -> NDArray[np.float64]:
    """Return the rotation and enlargement of one view, from the view to the image, float64 2×2."""
    scale, angle = np.exp(-views.zoom[row]), np.deg2rad(views.angle[row])
    return np.asarray(
        scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    )


def _turned(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    mirrored = image[:, ::-1] if orientation >= ORIENTATIONS // 2 else image
    return np.ascontiguousarray(np.rot90(mirrored, orientation % 4))
