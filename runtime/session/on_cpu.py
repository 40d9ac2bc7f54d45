"""The engines that run on the processor, and opening a model in them."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from runtime.artifact.bundle import PRECISIONS, Bundle, load_bundle
from runtime.errors import EdgeclError, InputError
from runtime.progress import Say
from runtime.session.base import Session, warmed
from runtime.session.golden import answering, read_golden

AUTO = "auto"


@dataclass(frozen=True)
class Engine:
    """An inference engine that edgecl can drive.

    Args:
        package: the module whose presence means that it is installed.
        module: where its session class lives.
        session: the class's name.
        install: the command that brings it.
    """

    package: str
    module: str
    session: str
    install: str


ENGINES = {
    "onnxruntime": Engine(
        "onnxruntime",
        "runtime.session.onnxruntime",
        "OnnxRuntimeSession",
        "pip install onnxruntime",
    ),
    "openvino": Engine(
        "openvino",
        "runtime.session.openvino",
        "OpenVinoSession",
        "pip install 'edgecl[openvino]'",
    ),
}


class _SessionClass(Protocol):
    def __call__(self, path: Path, *, precision: str, threads: int) -> Session: ...


def installed_engines() -> tuple[str, ...]:
    """The names of the engines that can be imported here."""
    return tuple(
        name for name, engine in ENGINES.items() if importlib.util.find_spec(engine.package)
    )


def default_threads() -> int:
    """The cores that this process may use."""
    return max(
        1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )


def open_on_cpu(
    source: str | Path | Bundle,
    precision: str,
    engine: str,
    threads: int | None,
    report: Say = lambda line: None,
) -> list[Session]:
    """Open every precision in every engine that comes into question.

    One that does not answer a bundle's golden images as the exported model did is reported and
    left out, unless it is the only one.

    Returns:
        Warm sessions; the caller closes them.

    Raises:
        InputError: no such file or precision, an engine that is not installed, or no session that
            answers the golden images.
    """
    count = threads or default_threads()
    if not (isinstance(source, Bundle) or Path(source).suffix == ".onnx"):
        source = load_bundle(Path(source))
    golden = read_golden(source) if isinstance(source, Bundle) else None
    refused: list[EdgeclError] = []
    kept: list[Session] = []
    with ExitStack() as stack:
        for label, name, path in _files(source, precision, _engines(engine)):
            session = _open_warm(name, path, precision=label, threads=count)
            try:
                answering(session, golden)
            except EdgeclError as error:
                refused.append(error)
                continue
            stack.callback(session.close)
            kept.append(session)
        if refused and not kept:
            raise refused[0]
        for refusal in refused:
            report(f"skipped: {refusal.problem}")
        stack.pop_all()
    return kept


def _files(
    source: str | Path | Bundle, precision: str, engines: Sequence[str]
) -> list[tuple[str, str, Path]]:
    """Precision, engine and file of all that may be opened."""
    if not isinstance(source, Bundle):
        path = Path(source)
        if path.is_file() and path.suffix == ".onnx":
            label = _precision_of(path) if precision == AUTO else precision
            return [(label, engine, path) for engine in engines]
        raise InputError(f"no model found at {path}", hint="make one with 'edgecl export'")
    held = {engine: source.precisions_for(engine) for engine in engines}
    if precision != AUTO and not any(precision in found for found in held.values()):
        source.onnx_path(precision, target=engines[0])  # says why not
    return [
        (label, engine, source.onnx_path(label, target=engine))
        for engine, found in held.items()
        for label in found
        if precision in (AUTO, label)
    ]


def _precision_of(path: Path) -> str:
    return next((part for part in path.name.split(".")[1:-1] if part in PRECISIONS), "onnx")


def _engines(engine: str) -> tuple[str, ...]:
    if engine == AUTO:
        return installed_engines()
    if engine not in installed_engines():
        raise InputError(
            f"engine {engine} is not installed", hint=f"install it: {ENGINES[engine].install}"
        )
    return (engine,)


def _open_warm(engine: str, path: Path, *, precision: str, threads: int) -> Session:
    entry = ENGINES[engine]
    kind = cast(_SessionClass, getattr(importlib.import_module(entry.module), entry.session))
    return warmed(kind(path, precision=precision, threads=threads))
