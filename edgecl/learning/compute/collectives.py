"""Communication between ranks: tensors, summed or concatenated, and small values as text.

torch.distributed must be joined, and all ranks must call the same functions in the same order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from runtime.errors import EdgeclError

BUCKET_BYTES = 32 << 20


def sum_up(x: Tensor) -> None:
    """Put the sum over all ranks in place of a contiguous tensor."""
    with _connected():
        dist.all_reduce(x)


def copy_first(x: Tensor) -> None:
    """Put the first rank's values in place of a contiguous tensor."""
    with _connected():
        dist.broadcast(x, 0)


def exchange(value: Any, size: int) -> list[Any]:
    """Gather every rank's value, in their order; as text, so that nothing is unpickled.

    Args:
        value: what JSON can hold.
        size: how many ranks there are.
    """
    text = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
    lengths = [int(length) for length in _side_by_side(torch.tensor([len(text)]), size)]
    padded = torch.zeros(max(lengths), dtype=torch.uint8)
    padded[: len(text)] = text
    texts = _side_by_side(padded, size)
    return [
        json.loads(bytes(text[:length].tolist()))
        for text, length in zip(texts, lengths, strict=True)
    ]


def _side_by_side(x: Tensor, size: int) -> list[Tensor]:
    parts = [torch.empty_like(x) for _ in range(size)]
    with _connected():
        dist.all_gather(parts, x)
    return parts


def buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Consecutive tensors of some 32 MiB together: one message each, and little extra memory."""
    bucket: list[Tensor] = []
    filled = 0
    for tensor in tensors:
        bucket.append(tensor)
        filled += tensor.nbytes
        if filled >= BUCKET_BYTES:
            yield bucket
            bucket, filled = [], 0
    if bucket:
        yield bucket


@contextmanager
def _connected() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise EdgeclError(
            "another rank has exited, or its connection was lost",
            hint="see its error above; 'edgecl train --resume' continues from the checkpoint",
        ) from error
