"""The paper's augmentations, as one affine warp and one gain per view.

Source: Zabin et al. 2023 and its code: horizontal flip; a shift of up to ±z/2; a zoom in by
U(−z, 0), height and width apart, with z = 1 − √min_area and reflected edges; then colour jitter,
RGB × (I·U(1 ± b) + U(±j)) with a 3×3 matrix. On gray pictures a row of that product is a single
gain, U(1 ± b) plus three draws of U(±j), clipped to the range of the pixels.

The same parameters give the same picture, within rounding, by OpenCV on the CPU (one warp of
uint8 pixels per view) and by one batched `grid_sample` on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Recipe:
    """How strongly views differ.

    Args:
        min_area: the smallest share of the picture that a view shows, in (0, 1].
        brightness: b of the gain, at least 0.
        jitter: j of the gain, at least 0.
    """

    min_area: float
    brightness: float
    jitter: float


CONTRASTIVE = Recipe(min_area=0.25, brightness=0.6, jitter=0.2)
CLASSIFICATION = Recipe(min_area=0.75, brightness=0.3, jitter=0.1)


@dataclass(frozen=True)
class Views:
    """Parameters of N views.

    Args:
        matrices: float64, N×2×3, from a pixel of the view to a pixel of the picture.
        gains: float32, N, factors on the pixels.
    """

    matrices: NDArray[np.float64]
    gains: NDArray[np.float32]


def sample_views(
    count: int, image_size: tuple[int, int], recipe: Recipe, rng: np.random.Generator
) -> Views:
    """Draw the parameters of `count` views of pictures of `image_size` (height, width)."""
    height, width = image_size
    reach = 1.0 - np.sqrt(recipe.min_area)
    flip = np.where(rng.random(count) < 0.5, -1.0, 1.0)
    shift_y, shift_x = rng.uniform(-reach / 2, reach / 2, (2, count))
    scale_y, scale_x = 1.0 + rng.uniform(-reach, 0.0, (2, count))
    centre_y, centre_x = (height - 1) / 2, (width - 1) / 2
    matrices = np.zeros((count, 2, 3))
    matrices[:, 0, 0] = flip * scale_x
    matrices[:, 1, 1] = scale_y
    matrices[:, 0, 2] = centre_x * (1 - matrices[:, 0, 0]) + shift_x * width
    matrices[:, 1, 2] = centre_y * (1 - scale_y) + shift_y * height
    gains = rng.uniform(1 - recipe.brightness, 1 + recipe.brightness, count)
    gains += rng.uniform(-recipe.jitter, recipe.jitter, (3, count)).sum(axis=0)
    return Views(matrices, gains.astype(np.float32))


def warp_on_cpu(images: NDArray[np.uint8], views: Views) -> NDArray[np.uint8]:
    """Apply N views to N pictures with OpenCV.

    Args:
        images: uint8, N×H×W.

    Returns:
        uint8, N×1×H×W.
    """
    count, height, width = images.shape
    out = np.empty((count, 1, height, width), np.uint8)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for image, matrix, gain, view in zip(images, views.matrices, views.gains, out, strict=True):
        warped = cv2.warpAffine(
            image, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT
        )
        # A negative gain is black after clipping; convertScaleAbs would mirror it.
        cv2.convertScaleAbs(warped, dst=view[0], alpha=max(float(gain), 0.0))
    return out


def warp_on_device(images: Tensor, views: Views) -> Tensor:
    """Apply N views to N pictures with one batched `grid_sample`, on the tensor's device.

    Args:
        images: uint8, N×H×W.

    Returns:
        uint8, N×1×H×W.
    """
    count, height, width = images.shape
    # grid_sample takes normalised coordinates: −1 and 1 are the outer edges of the corner pixels.
    to_pixels = np.array([[width / 2, 0, (width - 1) / 2], [0, height / 2, (height - 1) / 2]])
    to_pixels = np.vstack([to_pixels, [0.0, 0.0, 1.0]])
    square = np.concatenate(
        [views.matrices, np.broadcast_to([[[0.0, 0.0, 1.0]]], (count, 1, 3))], axis=1
    )
    theta = (np.linalg.inv(to_pixels) @ square @ to_pixels)[:, :2]
    grid = F.affine_grid(
        torch.as_tensor(theta, dtype=torch.float32, device=images.device),
        [count, 1, height, width],
        align_corners=False,
    )
    warped = F.grid_sample(
        images[:, None].float(), grid, padding_mode="reflection", align_corners=False
    )
    # OpenCV rounds to uint8 between warp and gain; so do we, to give the same picture.
    gains = torch.as_tensor(views.gains, device=images.device).clamp(min=0).view(-1, 1, 1, 1)
    return (warped.round() * gains).round().clamp(0, 255).to(torch.uint8)


def augment(
    images: NDArray[np.uint8],
    recipe: Recipe,
    rng: np.random.Generator,
    device: torch.device,
) -> Tensor:
    """One random view of each picture, on `device`.

    Args:
        images: uint8, N×H×W.

    Returns:
        uint8, N×1×H×W.
    """
    count, height, width = images.shape
    views = sample_views(count, (height, width), recipe, rng)
    if device.type == "cpu":
        return torch.from_numpy(warp_on_cpu(images, views))
    return warp_on_device(torch.from_numpy(images).to(device, non_blocking=True), views)
