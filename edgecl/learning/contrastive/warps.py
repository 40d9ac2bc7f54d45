"""Views of whole images: one affine warp and one gain each, and what a drifting camera adds."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from edgecl.learning.compute.residency import upload
from edgecl.learning.contrastive.tile_views import TileViews, drifted, turning


@dataclass(frozen=True)
class Views:
    """Parameters of N views.

    Args:
        matrices: float64, N×2×3, from a pixel of the view to a pixel of the image.
        gains: float32, N, factors on the pixels.
        drift: what else a drifting camera does to them; its place and orientation are not used, and
            its zoom and angle are in the matrices. None for nothing.
    """

    matrices: NDArray[np.float64]
    gains: NDArray[np.float32]
    drift: TileViews | None = None

    def take(self, rows: slice) -> Views:
        """Return the views of some rows."""
        drift = None if self.drift is None else self.drift.take(rows)
        return Views(self.matrices[rows], self.gains[rows], drift)


def affine(
    image_size: tuple[int, int],
    flip: NDArray[np.float64],
    scale: NDArray[np.float64],
    shift: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Map from view to image: scale about the centre, then shift.

    Args:
        flip: N, 1 or −1.
        scale, shift: 2×N, vertical and horizontal, as shares of the image's sides.
    """
    height, width = image_size
    matrices = np.zeros((len(flip), 2, 3))
    matrices[:, 0, 0] = flip * scale[1]
    matrices[:, 1, 1] = scale[0]
    matrices[:, 0, 2] = (width - 1) / 2 * (1 - matrices[:, 0, 0]) + shift[1] * width
    matrices[:, 1, 2] = (height - 1) / 2 * (1 - scale[0]) + shift[0] * height
    return matrices


def with_drift(views: Views, drift: TileViews, image_size: tuple[int, int]) -> Views:
    """Return views as a drifting camera would take them: turned and enlarged about their middle.

    Args:
        views: N of them.
        drift: of N as well.
        image_size: (height, width) of the views.
    """
    middle = np.array([(image_size[1] - 1) / 2, (image_size[0] - 1) / 2])
    matrices = views.matrices.copy()
    for row, matrix in enumerate(matrices):
        if drift.zoom[row] or drift.angle[row]:
            turn = turning(drift, row)
            matrix[:, 2] += matrix[:, :2] @ (middle - turn @ middle)
            matrix[:, :2] = matrix[:, :2] @ turn
    return Views(matrices, views.gains, drift)


def warped(images: NDArray[np.uint8] | Tensor, views: Views, device: torch.device) -> Tensor:
    """Return N views of N images on `device`; a GPU warps all of them at once.

    Args:
        images: uint8, N×H×W; a tensor where they are on the device already.

    Returns:
        uint8, N×1×H×W.
    """
    if isinstance(images, Tensor):
        there = warp_on_device(images, views)
    elif device.type == "cpu":
        there = torch.from_numpy(warp_on_cpu(images, views))
    else:
        there = warp_on_device(upload(images, device), views)
    if views.drift is None:
        return there
    pixels = there.cpu().numpy()
    for row, view in enumerate(pixels):
        view[0] = drifted(view[0], views.drift, row)
    return upload(pixels, device)


def warp_on_cpu(images: NDArray[np.uint8], views: Views) -> NDArray[np.uint8]:
    """Apply N views to N images with OpenCV.

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
    """Apply N views to N images with one batched `grid_sample`, on the tensor's device.

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
    # In one copy, since each costs as much as a kernel.
    numbers = np.column_stack([theta.reshape(count, 6), views.gains.clip(min=0)])
    uploaded = upload(numbers.astype(np.float32), images.device)
    grid = F.affine_grid(
        uploaded[:, :6].reshape(count, 2, 3), [count, 1, height, width], align_corners=False
    )
    warped = F.grid_sample(
        images[:, None].float(), grid, padding_mode="reflection", align_corners=False
    )
    # OpenCV rounds to uint8 between warp and gain; so do we, to give the same image.
    gains = uploaded[:, 6].view(-1, 1, 1, 1)
    return (warped.round() * gains).round().clamp(0, 255).to(torch.uint8)
