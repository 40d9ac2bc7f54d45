"""Device memory, streams, events and graphs of an NVIDIA GPU, through pycuda or cuda-bindings.

with memory.current():
    stream = memory.stream()
"""

from runtime.gpu.memory.base import (
    Buffer,
    DeviceMemory,
    DeviceStream,
    Event,
    GpuDevice,
    Graph,
    HostArray,
)
from runtime.gpu.memory.choosing import BACKENDS, open_memory
from runtime.gpu.memory.errors import GpuError, GpuLostError, GpuMemoryError

__all__ = [
    "BACKENDS",
    "Buffer",
    "DeviceMemory",
    "DeviceStream",
    "Event",
    "GpuDevice",
    "GpuError",
    "GpuLostError",
    "GpuMemoryError",
    "Graph",
    "HostArray",
    "open_memory",
]
