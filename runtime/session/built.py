"""Opening a model in TensorRT, whose engines are built on the device."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from runtime.artifact.bundle import Bundle
from runtime.artifact.engine_file import ENGINE_SUFFIX
from runtime.errors import EdgeclError, InputError
from runtime.gpu.probe import has_device, probe_gpu
from runtime.progress import Say
from runtime.session.base import Session, warmed
from runtime.session.golden import answering, read_golden
from runtime.session.spec import AUTO, TENSORRT

EngineFor = Callable[[Bundle, str], Path]
"""Function that returns the engine file of a bundle in a precision, built if none fits."""


def why_no_gpu() -> InputError | None:
    """Return the error that keeps TensorRT from working here; None where nothing does.

    Where there is no NVIDIA device, which its files tell, nothing else is looked at.
    """
    if not has_device():
        return InputError(
            "no NVIDIA device found", hint="use --device cpu, or run 'edgecl doctor' for details"
        )
    problems = probe_gpu().problems
    if not problems:
        return None
    first = problems[0]
    return InputError(first.missing, hint=f"{first.install}; 'edgecl doctor' shows details")


def is_engine(source: str | Path | Bundle) -> bool:
    """Whether this is a built engine's file, and not a bundle or an ONNX file."""
    return not isinstance(source, Bundle) and Path(source).suffix == ENGINE_SUFFIX


def gpu_precisions(bundle: Bundle, precision: str = AUTO) -> tuple[str, ...]:
    """The precisions of a bundle to be tried on the GPU.

    FP32 is only where it was named, or is all that there is: it was never the faster one.

    Raises:
        InputError: the bundle has nothing for TensorRT, or not that precision.
    """
    if precision != AUTO:
        bundle.onnx_path(precision, target=TENSORRT.form)  # refuses what is not there, by name
        return (precision,)
    if not bundle.tensorrt:
        raise InputError(
            f"{bundle.path} has no precision for TensorRT", hint="export it again with this version"
        )
    names = tuple(bundle.tensorrt)
    return tuple(name for name in names if name != "fp32") or names


def open_on_gpu(
    bundle: Bundle, precision: str, engine_for: EngineFor | None, report: Say
) -> list[Session]:
    """Open a bundle in TensorRT, in each precision that comes into question.

    One that cannot be built or opened is reported and left out, unless it is the only one.

    Returns:
        Warm sessions; the caller closes them.

    Raises:
        InputError: none could be opened.
    """
    if engine_for is None:
        raise InputError(
            f"no engine is built for {bundle.path}",
            hint="build one with 'edgecl run', or open a built .engine file",
        )
    names = gpu_precisions(bundle, precision)
    golden = read_golden(bundle)
    refused: list[EdgeclError] = []
    sessions: list[Session] = []
    with ExitStack() as stack:
        for name in names:
            try:
                session = answering(open_engine(engine_for(bundle, name), name), golden)
            except EdgeclError as error:
                refused.append(error)
                if len(names) > 1:
                    report(f"{name} is skipped: {error.problem}")
                continue
            stack.callback(session.close)
            sessions.append(session)
        if not sessions:
            raise refused[0]
        stack.pop_all()
    return sessions


def open_engine(path: Path, precision: str) -> Session:
    """Open a lone engine file, whose sidecar lies beside it.

    Raises:
        InputError: no such engine, or it does not run here.
    """
    return warmed(TENSORRT.open(path, precision="" if precision == AUTO else precision, threads=0))
