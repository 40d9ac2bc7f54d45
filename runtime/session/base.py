"""Interface of every engine's session."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.contract import ModelContract
from runtime.errors import InputError
from runtime.image.view import FrameView

TILES_AT_ONCE = 12
"""Most tiles that a processor runs together. From 8 on, more of them gain nothing, and what they
compute leaves its caches; `benchmarks/tiles.py` measures it."""


@dataclass(frozen=True)
class Outputs:
    """Outputs of a model for N images.

    Args:
        probabilities: float32, N×C, each row sums to one.
        embedding: float32, N×D, the encoder's representation.
    """

    probabilities: NDArray[np.float32]
    embedding: NDArray[np.float32]


_Own = TypeVar("_Own", bound="Session")


class Session(ABC):
    """A model loaded into one engine. Use it as a context manager, from one thread at a time.

    Attributes:
        engine: the engine's name, for example `onnxruntime`.
        version: the engine's version.
        device: what it runs on, for example `CPU (2 threads)`.
        precision: the precision's name, as in the bundle.
        contract: labels and input of the model.
        tiles_at_once: how many tiles of a frame are run together.
        joins_cameras: whether frames of several cameras are run together. On a processor a batch
            of two saves too little for the wait of one frame for the other.
    """

    engine: str
    version: str
    device: str
    precision: str
    contract: ModelContract
    tiles_at_once: int = TILES_AT_ONCE
    joins_cameras: bool = False
    _view: FrameView | None = None

    @property
    def view(self) -> FrameView:
        """The part of a frame that the model sees: the contract's, unless it was set."""
        return FrameView.of(self.contract.input) if self._view is None else self._view

    @view.setter
    def view(self, view: FrameView) -> None:
        self._view = view

    @property
    def batches(self) -> tuple[int, int]:
        """The smallest and the largest batch in which a frame's tiles are run."""
        return 1, self.tiles_at_once

    def prepare(self, tiles: int) -> None:  # noqa: B027 - most engines take any batch as it comes
        """Set up for frames of so many tiles, as soon as their size is known.

        It may take half a second, and is not called for sizes that come and go.
        """

    def infer(self, batch: NDArray[np.uint8]) -> Outputs:
        """Run the model.

        Args:
            batch: uint8, N×1×H×W, as the contract says.

        Raises:
            InputError: another dtype or shape.
        """
        self._require(batch)
        return self._infer(batch)

    def _require(self, batch: NDArray[np.uint8]) -> None:
        """Refuse what the model does not take."""
        height, width = self.contract.input.shape
        if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[1:] != (1, height, width):
            raise InputError(
                f"the model takes uint8 N×1×{height}×{width}, but got {batch.dtype} "
                f"{'×'.join(map(str, batch.shape))}",
                hint="prepare frames with runtime.image.preprocess.Preprocessor",
            )

    def infer_timed(self, batch: NDArray[np.uint8]) -> tuple[Outputs, dict[str, int]]:
        """Run like `infer`, with the time of each step that this engine has.

        Returns:
            The outputs, and nanoseconds per step: `infer` alone for an engine that shares the
            host's memory; `upload`, `infer` and `download` for one with memory of its own.
        """
        start = time.perf_counter_ns()
        outputs = self.infer(batch)
        return outputs, {"infer": time.perf_counter_ns() - start}

    def warm_up(self, runs: int = 3, sizes: Collection[int] = ()) -> None:
        """Run on black images, so that the first frame does not pay for lazy set-up.

        Args:
            sizes: of the batches. Without any, a model for tiles runs on single ones and on the
                largest batch of them, and another one on the smallest batch.
        """
        if not sizes:
            sizes = set(self.batches) if self.contract.input.tiling else {self.batches[0]}
        for count in sizes:
            batch = np.zeros((count, 1, *self.contract.input.shape), np.uint8)
            for _ in range(runs):
                self.infer(batch)

    def describe(self) -> str:
        """Describe the session on one line: precision, engine, version and device."""
        return f"{self.precision} on {self.engine} {self.version}, {self.device}"

    @abstractmethod
    def _infer(self, batch: NDArray[np.uint8]) -> Outputs: ...

    def close(self) -> None:  # noqa: B027 - not every engine holds something
        """Free what the engine holds. A closed session cannot be used again."""

    def __enter__(self: _Own) -> _Own:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def batch_sizes(count: int, largest: int) -> list[int]:
    """Return the sizes of as few batches as hold `count` tiles, as even as can be."""
    batches = -(-count // largest)
    size, larger = divmod(count, batches)
    return [size + 1] * larger + [size] * (batches - larger)


def warmed(session: Session) -> Session:
    """The session after its first runs, or their error after it was closed."""
    try:
        session.warm_up()
    except BaseException:
        session.close()
        raise
    return session
