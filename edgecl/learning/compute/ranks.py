"""Distributed training: several processes train one network, each on its rows of every batch.

torchrun starts them and tells each its number, its rank. All hold the same weights and draw the
same random numbers; what a batch gives depends on all its rows, so the ranks gather their outputs,
and every rank computes the loss of the whole batch. Each has then the same loss, and what is
minimised is the mean of them: the gradient of a gathered row is summed over the ranks, whose losses
all contain it, and the gradients of the weights are averaged. That is the gradient of one process,
whatever the number of ranks. (To keep only a rank's own rows in the gather's backward pass, as
some published code does, and to average then, divides the gradient by the number of ranks.)

A process that torchrun did not start is alone: every method returns what it was given.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from edgecl.learning.compute import collectives
from runtime.errors import EdgeclError, InputError

T = TypeVar("T")

# A rank that ended is noticed by its closed connection; one that reads, validates or writes for
# long must not count as lost.
PATIENCE = timedelta(days=1)


@dataclass(frozen=True)
class Ranks:
    """Rank of this process among those that train together; all call the same methods in turn.

    Args:
        number: this rank's, from 0.
        size: how many there are.
    """

    number: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the rank that writes and prints."""
        return self.number == 0

    def require_batch(self, batch_size: int) -> None:
        """Refuse a batch that the ranks cannot share evenly.

        Raises:
            InputError: the message has the next size that they can.
        """
        if batch_size % self.size:
            usable = (batch_size // self.size + 1) * self.size
            raise InputError(
                f"a batch of {batch_size} cannot be divided evenly among {self.size} ranks",
                hint=f"use --batch-size {usable}, or a number of ranks that divides {batch_size}",
            )

    def share(self, count: int) -> Share:
        """This rank's share of a batch of `count` images; shares differ by one row at most."""
        start, stop = (count * number // self.size for number in (self.number, self.number + 1))
        return Share(self, count, slice(start, stop))

    def average_gradients(self, module: nn.Module) -> None:
        """Put the mean of all ranks' gradients in place of this rank's."""
        if self.size == 1:
            return
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        for bucket in collectives.buckets(gradients):
            flat = torch.cat([gradient.reshape(-1) for gradient in bucket])
            collectives.sum_up(flat)
            flat /= self.size
            parts = flat.split([gradient.numel() for gradient in bucket])  # type: ignore[no-untyped-call]
            for gradient, part in zip(bucket, parts, strict=True):
                gradient.copy_(part.view(gradient.shape))

    @torch.no_grad()
    def copy_first(self, module: nn.Module) -> None:
        """Give every rank the first one's weights and buffers, to the last bit."""
        if self.size == 1:
            return
        for tensor in module.state_dict().values():
            whole = tensor.contiguous()
            collectives.copy_first(whole)
            tensor.copy_(whole)

    def reseed(self, numbers: Sequence[int]) -> None:
        """Give dropout other numbers on every rank; the first keeps those of a lone process.

        Args:
            numbers: what the seed is made of, at least 0 each; the rank's own number is added.
        """
        if not self.first:
            rng = np.random.default_rng([*numbers, self.number])
            torch.manual_seed(int(rng.integers(2**62)))

    def by_first(self, work: Callable[[], T]) -> T:
        """Let the first rank alone do `work`; the others wait for what it returns.

        Args:
            work: returns what JSON can hold.

        Raises:
            InputError: on all ranks, where `work` raised an error for the user.
        """
        if self.size == 1:
            return work()
        outcome = _Outcome.of(work) if self.first else _Outcome(None)
        told = collectives.exchange(outcome.to_json() if self.first else None, self.size)[0]
        result: T = outcome.result() if self.first else _Outcome.from_json(told).result()
        return result

    def by_all(self, work: Callable[[], T]) -> T:
        """Do `work` on every rank; an error for the user on one of them is an error of all.

        Raises:
            InputError: on all ranks, the lowest rank's.
        """
        if self.size == 1:
            return work()
        outcome = _Outcome.of(work)
        for told in collectives.exchange(_Outcome(None, outcome.error).to_json(), self.size):
            _Outcome.from_json(told).result()
        result: T = outcome.result()
        return result

    def require_same(self, value: Any, what: str, *, hint: str) -> None:
        """Refuse ranks that start from different things.

        Args:
            value: what JSON can hold.
            what: its name, for the message.

        Raises:
            InputError: on all ranks.
        """
        if self.size == 1:
            return
        values = collectives.exchange(value, self.size)
        for number, other in enumerate(values):
            if other != values[0]:
                raise InputError(f"rank {number} has different {what} from rank 0", hint=hint)


ALONE = Ranks()


@dataclass(frozen=True)
class Share:
    """One rank's rows of a batch.

    Args:
        ranks: all of them.
        count: rows of the whole batch.
        rows: this rank's.
    """

    ranks: Ranks
    count: int
    rows: slice

    def gather(self, x: Tensor) -> Tensor:
        """The whole batch's rows from every rank's own, in their order and with their gradients.

        Args:
            x: n×…, this rank's rows.

        Returns:
            N×…, float32 or wider.
        """
        if self.ranks.size == 1:
            return x
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        whole: Tensor = _Gather.apply(wide, self)  # type: ignore[no-untyped-call]
        return whole


class _Gather(torch.autograd.Function):
    """Gather the rows of all ranks; backward, a row's gradient is the sum over all ranks."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, share: Share) -> Tensor:
        ctx.share = share
        # A sum over zeros, for shares may differ in length and all_gather wants equal ones.
        whole = x.new_zeros((share.count, *x.shape[1:]))
        whole[share.rows] = x
        collectives.sum_up(whole)
        return whole

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        gradient = gradients[0].clone(memory_format=torch.contiguous_format)
        collectives.sum_up(gradient)
        return gradient[ctx.share.rows], None


@dataclass(frozen=True)
class _Outcome:
    """Result of some work: a value, or an error for the user."""

    value: Any
    error: EdgeclError | None = None

    @classmethod
    def of(cls, work: Callable[[], Any]) -> _Outcome:
        try:
            return cls(work())
        except EdgeclError as error:
            return cls(None, error)

    def result(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value

    def to_json(self) -> dict[str, Any]:
        if self.error is not None:
            return {"error": self.error.to_json()}
        return {"value": self.value}

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> _Outcome:
        if "error" in told:
            return cls(None, EdgeclError.from_json(told["error"]))
        return cls(told["value"])


@contextmanager
def joined() -> Iterator[Ranks]:
    """Meet the other ranks that torchrun started with this one; alone where there are none.

    Tensors on a GPU travel by NCCL, those on the CPU by gloo. Each rank takes the GPU of its
    number on its machine.

    Raises:
        InputError: fewer GPUs than ranks, or the ranks cannot meet.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or "RANK" not in os.environ:
        yield ALONE
        return
    backend = "gloo"
    if torch.cuda.is_available():
        here, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), torch.cuda.device_count()
        if here > gpus:
            raise InputError(
                f"torchrun started {here} ranks, but torch sees {gpus} GPU(s) on this machine",
                hint=f"start it with --nproc-per-node {gpus}",
            )
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        backend = "cpu:gloo,cuda:nccl"
    _load_what_would_keep_the_group()
    try:
        dist.init_process_group(backend, timeout=PATIENCE)
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"RANK and WORLD_SIZE are set, but the ranks cannot connect ({error})",
            hint="start with torchrun, or unset both",
        ) from error
    yield Ranks(dist.get_rank(), dist.get_world_size())
    dist.destroy_process_group()


def _load_what_would_keep_the_group() -> None:
    """Import what takes the process group as a default argument, while there is none.

    Optimisers import torch._dynamo, and functions in it keep the group that they find: gloo's
    threads would outlive `destroy_process_group`, and one that still drops a tensor while the
    interpreter ends aborts the process.
    """
    importlib.import_module("torch._dynamo")
