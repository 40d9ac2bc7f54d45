"""Target of an engine: a TensorRT and a GPU, as the probe found them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtime.errors import InputError
from runtime.gpu.missing import not_served

# The GPUs that share the processor's memory: TX1, TX2, Xavier, Orin, Thor (before and after CUDA
# renamed it), and GB10. Compute capabilities: CUDA C++ Programming Guide.
SHARING = ("5.3", "6.2", "7.2", "8.7", "10.1", "11.0", "12.1")


@dataclass(frozen=True)
class Target:
    """This machine, as far as an engine depends on it.

    Args:
        module: `tensorrt` or `tensorrt_rtx`.
        tensorrt: its version, as in `10.3.0.26`.
        device: the GPU's name, as in `Orin`.
        compute_capability: as in `8.7`.
        free: bytes free on the GPU; None where it does not tell.
    """

    module: str
    tensorrt: str
    device: str
    compute_capability: str
    free: int | None = None

    @property
    def shares_memory(self) -> bool:
        """Whether the GPU takes from the processor's main memory."""
        return self.compute_capability in SHARING

    @property
    def title(self) -> str:
        """Describe the target for people."""
        rtx = " for RTX" if self.module == "tensorrt_rtx" else ""
        return f"TensorRT{rtx} {self.tensorrt} on {self.device} ({self.compute_capability})"


def target_of(probe: Any) -> Target:
    """The machine that `runtime.gpu.probe.probe_gpu` described.

    Raises:
        InputError: no TensorRT or no GPU that works, with what is missing and what brings it.
    """
    if not (probe.module and probe.tensorrt and probe.device and probe.compute_capability):
        first = next(iter(probe.problems), None)
        what = first.missing if first else "TensorRT or its GPU is missing"
        raise InputError(
            f"TensorRT engines cannot be built or run on this machine: {what}",
            hint=first.install if first else "run 'edgecl doctor' for details",
        )
    refusal = not_served(probe.tensorrt, probe.serves, probe.compute_capability)
    if refusal:
        raise InputError(
            f"TensorRT engines cannot be built or run on this machine: {refusal}",
            hint="pip install 'edgecl[tensorrt]', or use --device cpu",
        )
    return Target(
        module=probe.module,
        tensorrt=probe.tensorrt,
        device=probe.device,
        compute_capability=probe.compute_capability,
        free=probe.free_memory,
    )
