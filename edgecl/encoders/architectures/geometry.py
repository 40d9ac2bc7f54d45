"""Image sizes that an encoder's strides allow."""

from __future__ import annotations

from runtime.errors import InputError


def require_size(encoder: str, image_size: tuple[int, int], smallest: int) -> None:
    """Refuse an image that would shrink to nothing inside the encoder.

    Raises:
        InputError: a side is below `smallest` pixels.
    """
    height, width = image_size
    if min(height, width) < smallest:
        raise InputError(
            f"{encoder} cannot process {height}x{width} images: its strides reduce them to nothing",
            hint=f"use an image size of at least {smallest}x{smallest}",
        )


def after_valid_conv(size: int, *, kernel: int, stride: int) -> int:
    """Length of a side after a convolution without padding."""
    return (size - kernel) // stride + 1
