"""Open a bundle or a lone ONNX file in an engine, chosen by the caller or by measurement."""

from __future__ import annotations

import importlib
import importlib.util
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from runtime.bundle import PRECISIONS, Bundle, load_bundle
from runtime.errors import InputError
from runtime.session.base import Session

AUTO = "auto"

PROBE_SECONDS = 0.4
"""How long each candidate runs, at most, when the fastest is looked for."""


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


@dataclass(frozen=True)
class Candidate:
    """One precision in one engine, with the median of a short measurement."""

    precision: str
    engine: str
    median_ms: float


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


def open_session(
    source: str | Path | Bundle,
    precision: str = AUTO,
    *,
    engine: str = AUTO,
    threads: int | None = None,
) -> Session:
    """Open a model.

    Args:
        source: a bundle folder, a bundle already loaded, or a lone `.onnx` file that edgecl
            exported.
        precision: `fp32`, `fp16`, `int8`, or `auto` for the fastest that the bundle holds.
        engine: a key of `ENGINES`, or `auto` for the fastest that is installed.
        threads: inference threads; all cores of this process when None.

    Returns:
        A warm session.

    Raises:
        InputError: no such file, precision or engine, or a file that was changed.
    """
    session, _ = open_fastest(source, precision, engine=engine, threads=threads)
    return session


def open_fastest(
    source: str | Path | Bundle,
    precision: str = AUTO,
    *,
    engine: str = AUTO,
    threads: int | None = None,
) -> tuple[Session, Sequence[Candidate]]:
    """The same as `open_session`, with the table of what was measured to choose.

    Nothing is measured, and the table is empty, where there is only one candidate.
    """
    count = threads or default_threads()
    sessions = [
        _open(name, path, precision=label, threads=count)
        for label, name, path in _files(source, precision, _engines(engine))
    ]
    for session in sessions:
        session.warm_up()
    if len(sessions) == 1:
        return sessions[0], ()
    medians = _probe(sessions)
    table = sorted(
        (
            Candidate(session.precision, session.engine, median)
            for session, median in zip(sessions, medians, strict=True)
        ),
        key=lambda candidate: candidate.median_ms,
    )
    best = sessions[int(np.argmin(medians))]
    for session in sessions:
        if session is not best:
            session.close()
    return best, table


def _files(
    source: str | Path | Bundle, precision: str, engines: Sequence[str]
) -> list[tuple[str, str, Path]]:
    """Precision, engine and file of all that may be opened."""
    if not isinstance(source, Bundle):
        path = Path(source)
        if path.is_file() and path.suffix == ".onnx":
            label = _precision_of(path) if precision == AUTO else precision
            return [(label, engine, path) for engine in engines]
        if path.suffix == ".onnx":
            raise InputError(f"there is no model {path}", mend="make one with 'edgecl export'")
        source = load_bundle(path)
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
    if engine not in ENGINES:
        raise InputError(
            f"there is no engine {engine!r}", mend=f"choose among {', '.join(ENGINES)}"
        )
    if engine not in installed_engines():
        raise InputError(
            f"the engine {engine} is not installed", mend=f"install it: {ENGINES[engine].install}"
        )
    return (engine,)


def _open(engine: str, path: Path, *, precision: str, threads: int) -> Session:
    entry = ENGINES[engine]
    session = cast(_SessionClass, getattr(importlib.import_module(entry.module), entry.session))
    return session(path, precision=precision, threads=threads)


def _probe(sessions: Sequence[Session]) -> list[float]:
    """Median milliseconds of each session, run in turn, since machines drift."""
    height, width = sessions[0].contract.input.shape
    picture = np.random.default_rng(0).integers(0, 256, (1, 1, height, width), np.uint8)
    times: list[list[int]] = [[] for _ in sessions]
    deadline = time.perf_counter() + PROBE_SECONDS * len(sessions)
    while len(times[0]) < 5 or (time.perf_counter() < deadline and len(times[0]) < 200):
        for session, taken in zip(sessions, times, strict=True):
            start = time.perf_counter_ns()
            session.infer(picture)
            taken.append(time.perf_counter_ns() - start)
    return [float(np.median(taken)) / 1e6 for taken in times]
