"""Resources of a TensorRT session on the GPU: buffers, a stream, events, contexts and graphs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.contract import INPUT_NAME, OUTPUT_NAMES
from runtime.gpu.memory import Buffer, DeviceMemory, GpuError, GpuLostError, GpuMemoryError, Graph
from runtime.gpu.memory.errors import error_of_words
from runtime.session.base import Outputs
from runtime.session.tensorrt.engine import LoadedEngine, TensorLayout, abandon
from runtime.session.tensorrt.log import errors_of, recording

LANES = 4
"""Batch sizes that keep a context and a graph of their own; the one unused for longest goes."""

STEPS = ("upload", "infer", "download")


class DeviceState:
    """Resources on the GPU, taken at the start for the largest batch, returned by `close`.

    All but `close` raise `GpuError`, after which only `close` may be called; after a
    `GpuLostError` only `abandon`.

    Args:
        trt: the TensorRT module.
        graph: whether to capture graphs, where the bindings can.
    """

    def __init__(
        self,
        trt: Any,
        loaded: LoadedEngine,
        layout: TensorLayout,
        memory: DeviceMemory,
        *,
        graph: bool,
    ) -> None:
        self._trt = trt
        self._loaded = loaded
        self._layout = layout
        self._memory = memory
        self._graphs = graph and memory.graphs
        self._lanes: dict[int, _Lane] = {}
        self._stream: Any = None
        self.graph_refusal = ""
        self.lost = False
        self._held = ExitStack()
        try:
            with memory.current():
                self._take()
        except GpuLostError:
            abandon(self)
            raise
        except BaseException:
            self.close()
            raise

    @property
    def captured(self) -> tuple[int, ...]:
        """The batch sizes that run as a graph."""
        return tuple(size for size, lane in self._lanes.items() if lane.graph is not None)

    def run(self, batch: NDArray[np.uint8], *, timed: bool) -> tuple[Outputs, dict[str, int]]:
        """Copy up, infer, copy down, and wait.

        Args:
            batch: uint8, N×1×H×W, N inside the profile.

        Returns:
            Copies of the outputs; and, if timed, nanoseconds of each of `STEPS` by the GPU's clock.
        """
        count = len(batch)
        memory, stream, events = self._memory, self._stream, self._events
        with memory.current():
            lane = self._lane(count)
            np.copyto(self._image.array[:count], batch)
            if timed:
                events[0].record(stream)
            memory.upload(self._inputs, self._image, batch.nbytes, stream)
            if timed:
                events[1].record(stream)
            self._queue(lane)
            if timed:
                events[2].record(stream)
            for host, buffer in zip(self._answers, self._outputs, strict=True):
                memory.download(host, buffer, host.bytes.size // len(host.array) * count, stream)
            if timed:
                events[3].record(stream)
            stream.synchronize()
            steps = {
                name: later.since(earlier)
                for name, earlier, later in zip(STEPS, events, events[1:], strict=False)
                if timed
            }
        probabilities, embedding = (host.array[:count].copy() for host in self._answers)
        return Outputs(probabilities, embedding), steps

    def watch(self, count: int, profiler: Any) -> None:
        """Let an IProfiler see the runs of one batch size; a graph shows it nothing."""
        with self._memory.current():
            self._lane(count).context.profiler = profiler

    def close(self) -> None:
        """Give everything back: graphs, contexts, events, buffers, and last the stream.

        If the GPU is found to be gone, all is abandoned, and `lost` is true.
        """
        try:
            with self._memory.current():
                if self._stream is not None:
                    self._stream.synchronize()  # nothing may still copy out of what is freed
                for lane in self._lanes.values():
                    lane.close()
                self._lanes.clear()
                self._held.close()
        except GpuLostError:
            self.lost = True
            abandon(self)

    def _take(self) -> None:
        memory, largest = self._memory, self._layout.batches[1]
        shape = (largest, 1, *self._layout.image)
        self._stream = self._hold(memory.stream())
        self._image = self._hold(memory.page_locked(shape, np.uint8))
        self._inputs: Buffer = self._hold(memory.allocate(self._image.bytes.size))
        self._answers = [
            self._hold(memory.page_locked((largest, width), np.float32))
            for width in self._layout.widths
        ]
        self._outputs: list[Buffer] = [
            self._hold(memory.allocate(host.bytes.size)) for host in self._answers
        ]
        self._events = [self._hold(memory.event()) for _ in range(len(STEPS) + 1)]

    def _hold(self, handle: Any) -> Any:
        self._held.callback(_quietly(handle.close))
        return handle

    def _lane(self, count: int) -> _Lane:
        """The context for a batch size, whose shapes never change: a graph belongs to them."""
        lane = self._lanes.pop(count, None)
        if lane is None:
            if len(self._lanes) >= LANES:
                self._lanes.pop(next(iter(self._lanes))).close()
            lane = _Lane()
            self._lanes[count] = lane
            self._set_up(lane, count)
        self._lanes[count] = lane  # the last one is the one used last
        return lane

    def _set_up(self, lane: _Lane, count: int) -> None:
        with recording(self._trt) as (_, lines):
            lane.context = self._loaded.engine.create_execution_context()
            if lane.context is None:
                words = errors_of(lines)
                raise error_of_words(words) or GpuMemoryError(
                    f"the GPU has no memory for a context ({words})"
                )
            shape = (count, 1, *self._layout.image)
            addresses = [self._inputs.address, *(buffer.address for buffer in self._outputs)]
            taken = lane.context.set_input_shape(INPUT_NAME, shape)
            for name, address in zip((INPUT_NAME, *OUTPUT_NAMES), addresses, strict=True):
                taken = lane.context.set_tensor_address(name, address) and taken
            if not taken:
                raise _refused("set up", errors_of(lines))
        if self._graphs:
            self._capture(lane)

    def _capture(self, lane: _Lane) -> None:
        """Capture what one run queues. Where that cannot be, frames are queued call by call."""
        # TensorRT makes up its mind in the first run, and may take memory in it.
        self._queue(lane)
        self._stream.synchronize()
        # TensorRT for RTX says beforehand.
        if hasattr(lane.context, "is_stream_capturable") and not lane.context.is_stream_capturable(
            self._stream.handle
        ):
            self.graph_refusal = "the engine cannot be captured in a CUDA graph"
            return
        try:
            lane.graph = self._memory.capture(self._stream, lambda: self._queue(lane))
        except (GpuLostError, GpuMemoryError):
            raise
        except GpuError as error:
            self.graph_refusal = str(error)

    def _queue(self, lane: _Lane) -> None:
        if lane.graph is not None:
            lane.graph.launch(self._stream)
            return
        with recording(self._trt) as (_, lines):
            if not lane.context.execute_async_v3(self._stream.handle):
                raise _refused("run", errors_of(lines))


class _Lane:
    """A context and what was captured of it. Nobody else holds either: see `LoadedEngine`."""

    def __init__(self) -> None:
        self.context: Any = None
        self.graph: Graph | None = None

    def close(self) -> None:
        if self.graph is not None:
            _quietly(self.graph.close)()
        self.graph = self.context = None


def _refused(what: str, words: str) -> GpuError:
    return error_of_words(words) or GpuError(f"TensorRT could not {what} the engine ({words})")


def _quietly(close: Callable[[], None]) -> Callable[[], None]:
    def closing() -> None:
        with suppress(GpuError):
            close()

    return closing
