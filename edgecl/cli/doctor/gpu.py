"""GPU section of `edgecl doctor`."""

from __future__ import annotations

from edgecl.cli.doctor.row import MISSING, NOTE, OK, Row
from runtime.gpu.probe import GpuProbe

GIB = 2**30


def gpu_rows(probed: GpuProbe) -> list[Row]:
    """Driver, CUDA, TensorRT and the bindings, and what is missing.

    Without an NVIDIA device nothing of that is missing: the processor does the work.
    """
    if not (probed.device or probed.jetson or _has_device(probed)):
        return [
            Row("device", NOTE, "none; inference runs on the CPU"),
            Row(
                "tensorrt",
                NOTE,
                f"{_tensorrt(probed) or 'not installed'}, unusable without an NVIDIA device",
            ),
        ]
    rows = [Row("Jetson", OK, probed.jetson)] if probed.jetson else []
    rows += [
        Row(name, OK, value)
        for name, value in (
            ("device", _device(probed)),
            ("driver", probed.driver),
            ("CUDA", probed.cuda and f"{probed.cuda}, the newest supported by the driver"),
            ("tensorrt", _tensorrt(probed)),
            ("memory", probed.memory),
        )
        if value
    ]
    return rows + [
        Row("missing", MISSING, problem.missing, problem.install) for problem in probed.problems
    ]


def _has_device(probed: GpuProbe) -> bool:
    return not any("no NVIDIA device" in problem.missing for problem in probed.problems)


def _device(probed: GpuProbe) -> str:
    if not probed.device:
        return ""
    text = f"{probed.device}, compute capability {probed.compute_capability}"
    if probed.free_memory is not None and probed.total_memory is not None:
        free, total = probed.free_memory / GIB, probed.total_memory / GIB
        text += f", {free:.1f} of {total:.1f} GiB of memory free"
    return text


def _tensorrt(probed: GpuProbe) -> str:
    if not probed.tensorrt:
        return ""
    return f"{'for RTX ' if probed.module == 'tensorrt_rtx' else ''}{probed.tensorrt}"
