"""Session on TensorRT: a built engine on an NVIDIA GPU."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.engine_file import load_engine_file
from runtime.errors import FrameError, InputError, SessionLostError
from runtime.gpu.memory import GpuError, GpuLostError, GpuMemoryError, open_memory
from runtime.session.base import Outputs, Session
from runtime.session.tensorrt.device import DeviceState
from runtime.session.tensorrt.engine import (
    LoadedEngine,
    abandon,
    no_room,
    read_layout,
    require_fit,
)
from runtime.session.tensorrt.module import load_tensorrt

TRIES = 3
"""Frames in a row that may fail, each with its buffers made anew, before the session gives up."""

CLOSE_S = 5.0
"""Time that `close` waits for a frame that another thread is at, in seconds."""


class TensorRtSession(Session):
    """An engine file in TensorRT.

    A frame that fails, for example for want of GPU memory, is a `FrameError`: what was on the
    device is given back, and taken anew for the next frame.

    Args:
        path: the engine; its sidecar lies beside it.
        precision: the name to carry in reports; the sidecar's when empty.
        memory: a key of `runtime.gpu.BACKENDS`, or `auto`.
        graph: capture CUDA graphs, where the bindings can.

    Raises:
        InputError: no such engine, one that was changed or is for something else, no TensorRT, or
            a GPU that does not answer or has no room.
    """

    engine = "tensorrt"
    joins_cameras = True

    def __init__(
        self, path: Path, *, precision: str = "", memory: str = "auto", graph: bool = True
    ) -> None:
        file, plan = load_engine_file(path)
        self._trt = trt = load_tensorrt(file.module)
        self._memory = gpu = open_memory(memory)
        require_fit(trt, gpu.device, file)
        self.version = str(trt.__version__)
        self.precision = precision or file.precision
        self.contract = file.contract
        self._path = path
        self._graph = graph
        self._lock = threading.Lock()
        self._closed = False
        self._lost = ""
        self._failures = 0
        self._state: DeviceState | None = None
        self._loaded = LoadedEngine()
        try:
            with gpu.current():
                self._loaded.load(trt, file, plan)
                self._layout = read_layout(trt, self._loaded, file)
            self._state = self._on_device()
        except GpuMemoryError as error:
            self._drop()
            raise no_room(error, gpu.device, self._free()) from error
        except GpuError as error:
            if isinstance(error, GpuLostError):
                self._abandon()
            self._drop()
            raise InputError(
                f"{path} cannot be opened: {error}", hint="run 'edgecl doctor' for details"
            ) from error
        except BaseException:
            self._drop()
            raise

    @property
    def device(self) -> str:  # type: ignore[override]  # changes with what could be captured
        """The GPU, the bindings, and whether frames run as a CUDA graph."""
        return f"{self._memory.describe()}, {self._graph_words()}"

    @property
    def batches(self) -> tuple[int, int]:
        """The smallest and largest batch of the engine's profile."""
        return self._layout.batches

    def infer_timed(self, batch: NDArray[np.uint8]) -> tuple[Outputs, dict[str, int]]:
        """Run like `infer`, with `upload`, `infer` and `download` by the GPU's own clock.

        What the processor does beside it, such as copying the image into page-locked memory, is
        in none of them.
        """
        self._require(batch)
        return self._run(batch, timed=True)

    def _infer(self, batch: NDArray[np.uint8]) -> Outputs:
        return self._run(batch, timed=False)[0]

    def warm_up(self, runs: int = 3, sizes: Collection[int] = ()) -> None:
        """Run on black images; see `Session.warm_up`.

        Raises:
            InputError: the engine does not run.
        """
        try:
            super().warm_up(runs, sizes)
        except FrameError as error:
            raise InputError(
                f"{self._path} cannot run: {error}", hint="run 'edgecl doctor' for details"
            ) from error

    def watch_layers(self, count: int, profiler_of: Callable[[Any], Any]) -> None:
        """Let an IProfiler see every run of `count` images; not with CUDA graphs.

        Args:
            count: of the batch, within the profile.
            profiler_of: makes the IProfiler, given the TensorRT module.
        """
        with self._lock:
            self._require_open(count)
            if self._state is not None:
                self._watcher = profiler_of(self._trt)  # a context does not hold it
                self._state.watch(count, self._watcher)

    def close(self) -> None:
        """Give back all that is on the GPU. A second call does nothing."""
        # A frame that hangs keeps what it works on: freeing it would end the process.
        if not self._lock.acquire(timeout=CLOSE_S):
            self._closed = True
            return
        try:
            self._closed = True
            self._drop()
        finally:
            self._lock.release()

    def _run(self, batch: NDArray[np.uint8], *, timed: bool) -> tuple[Outputs, dict[str, int]]:
        with self._lock:
            self._require_open(len(batch))
            try:
                if self._state is None:
                    self._state = self._on_device()
                answer = self._state.run(batch, timed=timed)
            except GpuLostError as error:
                self._abandon()
                raise self._give_up(str(error)) from error
            except GpuError as error:
                self._drop_state()
                self._failures += 1
                if self._loaded.empty:
                    raise self._give_up(f"the GPU did not respond after: {error}") from error
                if self._failures >= TRIES:
                    raise self._give_up(f"{self._failures} frames in a row: {error}") from error
                raise FrameError(str(error)) from error
            self._failures = 0
            return answer

    def _require_open(self, count: int) -> None:
        if self._closed:
            raise InputError("this session is closed", hint="open a new session")
        if self._lost:
            raise SessionLostError(f"TensorRT stopped working: {self._lost}", hint="restart edgecl")
        smallest, largest = self._layout.batches
        if not smallest <= count <= largest:
            raise InputError(
                f"a batch of {count} is outside the profile of {self._path}, which allows "
                f"{smallest} to {largest}",
                hint="use smaller batches, or build the engine for larger ones",
            )

    def _give_up(self, why: str) -> SessionLostError:
        self._drop()
        self._lost = why
        return SessionLostError(
            f"TensorRT stopped working: {why}", hint="restart edgecl, or use --device cpu"
        )

    def _on_device(self) -> DeviceState:
        return DeviceState(self._trt, self._loaded, self._layout, self._memory, graph=self._graph)

    def _drop_state(self) -> None:
        state, self._state = self._state, None
        if state is not None:
            state.close()
            if state.lost:
                self._abandon()

    def _drop(self) -> None:
        """Free everything in this order: contexts and buffers, the engine, its runtime."""
        self._drop_state()
        if self._loaded.empty:
            return
        try:
            with self._memory.current():
                self._loaded.close()
        except GpuLostError:
            self._abandon()

    def _abandon(self) -> None:
        """Let go of what lived on a GPU that is gone, without touching it."""
        for thing in (self._state, self._loaded):
            if thing is not None:
                abandon(thing)
        self._state, self._loaded = None, LoadedEngine()

    def _free(self) -> int | None:
        try:
            with self._memory.current():
                return self._memory.free()
        except GpuError:
            return None

    def _graph_words(self) -> str:
        if not self._memory.graphs:
            return (
                f"no CUDA graph ({self._memory.name} does not support them; install "
                "cuda-bindings as well)"
            )
        if not self._graph:
            return "no CUDA graph"
        refusal = self._state.graph_refusal if self._state else ""
        return f"no CUDA graph ({refusal})" if refusal else "CUDA graph"


def open_tensorrt(path: Path, *, precision: str, threads: int) -> Session:
    """Open a built engine.

    Args:
        path: the engine file, with its sidecar beside it.
        precision: the one that is asked for; empty for the file's own.
        threads: not used, the GPU has its own.

    Raises:
        InputError: see `TensorRtSession`.
    """
    return TensorRtSession(path, precision=precision)
