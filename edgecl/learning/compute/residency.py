"""Placement of images for the training step: on the device, or prepared ahead."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgecl.data.pixels.selection import ImageRows
from edgecl.data.pixels.store import Selection
from edgecl.data.pixels.tiled import TiledImages

# Of the GPU's free memory: the rest is for weights and activations.
DEVICE_SHARE = 0.3
DEPTH = 2
_END = object()

Item = TypeVar("Item")
Ready = TypeVar("Ready")


def upload(array: NDArray[Any], device: torch.device) -> Tensor:
    """Copy a small array to the device; a GPU copies it asynchronously.

    From ordinary memory the processor would wait until the GPU has caught up, at every step.
    """
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


class DeviceImages:
    """Image set on the device; rows are gathered there.

    Args:
        pixels: uint8, N×H×W.
    """

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: NDArray[np.int64]) -> Tensor:
        """The images of `rows`, uint8 M×H×W, on the device."""
        return self.pixels[upload(rows, self.pixels.device)]


Images = ImageRows | DeviceImages


def bring_closer(images: ImageRows, device: torch.device) -> Images:
    """Put the images on a GPU that has room for them; else they stay where they are.

    Args:
        images: uint8, N×H×W; images of any size stay where they are, and their views go there.
    """
    if device.type != "cuda" or isinstance(images, TiledImages):
        return images
    free, _ = torch.cuda.mem_get_info(device)
    if int(np.prod(images.shape, dtype=np.int64)) > DEVICE_SHARE * free:
        return images
    return to_device(images, device)


def to_device(
    images: NDArray[np.uint8] | Selection, device: torch.device, *, piece: int = 1024
) -> DeviceImages:
    """Copy the images to the device, `piece` at a time."""
    pixels = torch.empty(images.shape, dtype=torch.uint8, device=device)
    for start in range(0, len(images), piece):
        part = np.ascontiguousarray(images[start : start + piece])
        pixels[start : start + piece] = torch.from_numpy(part).to(device)
    return DeviceImages(pixels)


def prepared(
    items: Iterator[Item], prepare: Callable[[Item], Ready], *, ahead: bool
) -> Iterator[tuple[Item, Ready]]:
    """Yield each item with the result of `prepare` for it, in order.

    Args:
        ahead: let a thread work `DEPTH` items ahead. Items and preparation stay in their order
            on that one thread, so random numbers that both draw come out the same.
    """
    if not ahead:
        for item in items:
            yield item, prepare(item)
        return
    ready: queue.Queue[object] = queue.Queue(DEPTH)
    stop = threading.Event()

    def put(value: object) -> bool:
        while not stop.is_set():
            try:
                ready.put(value, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put((item, prepare(item))):
                    return
            put(_END)
        except BaseException as error:  # raised again where the batch is wanted
            put(error)

    thread = threading.Thread(target=work, name="edgecl-prefetch", daemon=True)
    thread.start()
    try:
        while (value := ready.get()) is not _END:
            if isinstance(value, BaseException):
                raise value
            yield value  # type: ignore[misc]
    finally:
        stop.set()
        thread.join()


def prepares_ahead(images: Images, device: torch.device) -> bool:
    """Whether a thread should prepare the next batches.

    It pays where they come from a disk or go to another device. From memory to the CPU it does
    not: the warps are a few per cent of a step, and the step has all the cores already.
    """
    if isinstance(images, DeviceImages):
        return False
    return isinstance(images, Selection) or device.type != "cpu"
