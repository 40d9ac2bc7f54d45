"""Samples of the machine between turns: never while a frame is timed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.benchmark.conditions.clock import core_clock, spin_ns
from runtime.benchmark.conditions.document import Conditions, JetsonConditions, Spread
from runtime.benchmark.conditions.jetson import TegraStats, read_power_mode, summarise_jetson
from runtime.benchmark.conditions.nvml import GpuSample, Nvml, summarise_gpus
from runtime.benchmark.validity import other_load
from runtime.machine import ROOT, Activity, read_activity, read_memory
from runtime.progress import NotedProgress

INTERVAL_S = 0.5

THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "OMP_PROC_BIND", "GOMP_CPU_AFFINITY"),
    *("KMP_AFFINITY", "KMP_BLOCKTIME", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    *("TBB_NUM_THREADS", "MALLOC_ARENA_MAX"),
)


class ConditionWatch:
    """Watch over a machine from `start` to `finish`.

    Args:
        root: the file tree to read, for tests.
        interval_s: least time between two samples.
        clock: seconds, for tests.
        spin: nanoseconds of a fixed piece of work, for tests.
    """

    def __init__(
        self,
        root: Path = ROOT,
        *,
        interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
        spin: Callable[[], int] = spin_ns,
    ) -> None:
        self._root, self._interval, self._clock, self._spin = root, interval_s, clock, spin
        self._spins: list[int] = []
        self._activity: list[tuple[float, Activity]] = []
        self._memory: list[float | None] = []
        self._gpu: list[list[GpuSample]] = []
        self._nvml: Nvml | None = None
        self._tegra: TegraStats | None = None
        self._swapped: int | None = None

    def start(self) -> None:
        """Look for the first time, and open what tells of GPUs."""
        self._nvml = Nvml.open()
        self._tegra = TegraStats.start()
        self._swapped = _swapped_pages(self._root)
        self._sample()

    def tick(self) -> None:
        """Look again, where the last look is long enough ago."""
        if self._activity and self._clock() - self._activity[-1][0] >= self._interval:
            self._sample()

    def beside(self, progress: NotedProgress) -> NotedProgress:
        """The same progress, with a look at each of its calls: they stand between turns."""

        def told(done: int, total: int, what: str) -> None:
            self.tick()
            progress(done, total, what)

        return told

    def finish(self) -> Conditions:
        """Look for the last time, and close everything."""
        self._sample()
        names = self._nvml.names if self._nvml else []
        jetson = self._close()
        swapped = _swapped_pages(self._root)
        loads = [
            other_load(before, after, later - earlier)
            for (earlier, before), (later, after) in zip(
                self._activity, self._activity[1:], strict=False
            )
        ]
        activity = [one for _, one in self._activity]
        return Conditions(
            affinity=tuple(sorted(os.sched_getaffinity(0)))
            if hasattr(os, "sched_getaffinity")
            else (),
            core_mhz=Spread.of([_mean(one.frequencies_mhz) for one in activity]),
            core_clock=core_clock([one.frequencies_mhz for one in activity], self._spins),
            other_load_cores=Spread.of(loads),
            temperature_c=Spread.of(
                [max(one.temperatures_c.values(), default=None) for one in activity]
            ),
            memory_available_bytes=Spread.of(self._memory),
            swap_used_bytes=_swap_used(self._root),
            swapped_pages=None
            if swapped is None or self._swapped is None
            else swapped - self._swapped,
            thread_settings={
                name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ
            },
            gpus=summarise_gpus(names, self._gpu),
            jetson=jetson,
        )

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Start; what is open is closed again where the measurement fails."""
        self.start()
        try:
            yield
        except BaseException:
            self._close()
            raise

    def _sample(self) -> None:
        self._activity.append((self._clock(), read_activity(self._root)))
        self._memory.append(read_memory(self._root)["available"])
        self._spins.append(self._spin())
        if self._nvml is not None:
            self._gpu.append(self._nvml.sample())

    def _close(self) -> JetsonConditions | None:
        nvml, self._nvml = self._nvml, None
        if nvml is not None:
            nvml.close()
        tegra, self._tegra = self._tegra, None
        return None if tegra is None else summarise_jetson(tegra.stop(), read_power_mode())


def _mean(values: tuple[float, ...]) -> float | None:
    return sum(values) / len(values) if values else None


def _swapped_pages(root: Path) -> int | None:
    """Pages swapped in and out since the machine started; None where it does not count."""
    counts = [
        int(value)
        for name, value in _pairs(root / "proc/vmstat")
        if name in ("pswpin", "pswpout") and value.isdigit()
    ]
    return sum(counts) if counts else None


def _swap_used(root: Path) -> int | None:
    """Bytes of swap in use; None where there is no swap."""
    sizes = {
        name.rstrip(":"): int(value) * 1024
        for name, value in _pairs(root / "proc/meminfo")
        if name in ("SwapTotal:", "SwapFree:") and value.isdigit()
    }
    if not sizes.get("SwapTotal"):
        return None
    return sizes["SwapTotal"] - sizes.get("SwapFree", 0)


def _pairs(path: Path) -> list[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [(parts[0], parts[1]) for line in lines if len(parts := line.split()) >= 2]
