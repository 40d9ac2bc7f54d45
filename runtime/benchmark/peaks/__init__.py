"""The most that this machine can do: products per second, and bytes copied."""

from runtime.benchmark.peaks.measuring import Peak, Peaks, measure_peaks

__all__ = ["Peak", "Peaks", "measure_peaks"]
