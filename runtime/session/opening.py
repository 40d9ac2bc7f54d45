"""Open a bundle, a lone ONNX file or a built engine, chosen by the caller or by measurement."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.artifact.bundle import Bundle, load_bundle
from runtime.errors import EdgeclError, FrameError, InputError
from runtime.image.flat.file import flat_beside
from runtime.image.view import FrameView
from runtime.progress import Say
from runtime.session.base import Session
from runtime.session.built import EngineFor, is_engine, open_engine, open_on_gpu, why_no_gpu
from runtime.session.fallback import FallbackSession
from runtime.session.graphs import default_threads, open_graphs
from runtime.session.oip.opening import ServerChoice, open_on_server
from runtime.session.spec import (
    AUTO,
    CPU,
    DEVICES,
    ENGINES,
    GPU,
    TENSORRT,
    device_for,
    installed_engines,
    runs_graphs,
)
from runtime.session.tiles import infer_tiles

__all__ = [
    "AUTO",
    "CPU",
    "DEVICES",
    "ENGINES",
    "GPU",
    "Candidate",
    "EngineFor",
    "ServerChoice",
    "default_threads",
    "installed_engines",
    "open_fastest",
    "open_session",
]

PROBE_SECONDS = 0.4
"""Maximum run time of each candidate when the fastest is looked for, in seconds."""

PROBE_TILES = 8
"""Tiles that a candidate for tiles is measured on, together."""


LOG = logging.getLogger("edgecl.session")


@dataclass(frozen=True)
class Candidate:
    """One precision in one engine, with the median of a short measurement, per image or tile."""

    precision: str
    engine: str
    median_ms: float


def open_session(
    source: str | Path | Bundle,
    precision: str = AUTO,
    *,
    engine: str = AUTO,
    threads: int | None = None,
    device: str | None = None,
    engine_for: EngineFor | None = None,
    server: ServerChoice | None = None,
    report: Say = LOG.warning,
) -> Session:
    """Open a model.

    Args:
        source: a bundle folder, a bundle already loaded, a lone `.onnx` file that edgecl
            exported, or a built `.engine` file, which runs on the GPU.
        precision: `fp32`, `fp16`, `int8`, or `auto` for the fastest that the bundle holds.
        engine: a name of `ENGINES`, or `auto` for the fastest that is installed.
        threads: inference threads; all cores of this process when None.
        device: `cpu`; `gpu`, which is TensorRT or an error; or `auto`: TensorRT where it works,
            with the processor behind it, and else the processor, which is reported once. None for
            the one that the source and the engine are for: the processor but for a built engine.
        engine_for: gives the built engine of a bundle; none is built without it.
        server: for the engine `oip`, which runs the bundle's model there.
        report: given one line where something else is done than was asked for at first.

    Returns:
        A warm session.

    Raises:
        InputError: no such file, precision, engine or device, or a file that was changed.
    """
    session, _ = open_fastest(
        source,
        precision,
        engine=engine,
        threads=threads,
        device=device,
        engine_for=engine_for,
        server=server,
        report=report,
    )
    return session


def open_fastest(
    source: str | Path | Bundle,
    precision: str = AUTO,
    *,
    engine: str = AUTO,
    threads: int | None = None,
    device: str | None = None,
    engine_for: EngineFor | None = None,
    server: ServerChoice | None = None,
    report: Say = LOG.warning,
) -> tuple[Session, Sequence[Candidate]]:
    """Open a session like `open_session`, with the table of measured candidates.

    Nothing is measured, and the table is empty, where there is only one candidate.
    """
    if engine != AUTO and ENGINES[engine].remote:
        device_for(device or CPU, engine)
        named = None if precision == AUTO else precision
        session, table = _fastest(open_on_server(source, named, server, report))
    else:
        session, table = _opened(source, precision, engine, threads, device, engine_for, report)
    digest = session.contract.input.flat
    if digest is not None:
        try:
            path = source.path if isinstance(source, Bundle) else Path(source)
            flat = flat_beside(path, digest)
        except BaseException:
            session.close()
            raise
        if flat is not None:
            session.view = FrameView(session.contract.input.roi, flat)
    return session, table


def _opened(
    source: str | Path | Bundle,
    precision: str,
    engine: str,
    threads: int | None,
    device: str | None,
    engine_for: EngineFor | None,
    report: Say,
) -> tuple[Session, Sequence[Candidate]]:
    if is_engine(source):
        assert not isinstance(source, Bundle)
        device_for(device or GPU, TENSORRT.name if engine == AUTO else engine)
        return open_engine(Path(source), precision), ()
    own = CPU if engine == AUTO else ENGINES[engine].device
    device = device_for(device or own, engine)
    if runs_graphs(engine):
        return _fastest(open_graphs(source, precision, engine, threads, report))
    if device != CPU:
        source = _bundle_for_gpu(source, device)
    if device == CPU or not isinstance(source, Bundle):
        return _fastest(open_graphs(source, precision, engine, threads, report))
    absent = why_no_gpu()
    try:
        if absent is not None:
            raise absent
        session, table = _fastest(open_on_gpu(source, precision, engine_for, report))
    except EdgeclError as error:
        if device == GPU:
            raise InputError(f"--device gpu: {error.problem}", hint=error.hint) from error
        report(f"running inference on the CPU: {error.problem}")
        return _fastest(open_graphs(source, precision, AUTO, threads, report))
    if device == GPU:
        return session, table
    try:
        second = _behind(source, session.precision, precision, threads, report)
    except EdgeclError as error:
        report(f"no CPU fallback for the GPU: {error.problem}")
        return session, table
    except BaseException:
        session.close()
        raise
    return FallbackSession(session, second, report), table


def _behind(
    source: Bundle, precision: str, asked: str, threads: int | None, report: Say
) -> Session:
    """The session on the processor for when the GPU is gone: the same precision if it can be.

    Raises:
        InputError: the processor runs nothing of the bundle, or not the precision asked for.
    """
    first = precision if precision in source.precisions else AUTO
    try:
        return _fastest(open_graphs(source, first, AUTO, threads, report))[0]
    except EdgeclError as error:
        if asked != AUTO or first == AUTO:
            raise
        report(f"no CPU fallback in {first}: {error.problem}")
    return _fastest(open_graphs(source, AUTO, AUTO, threads, report))[0]


def _bundle_for_gpu(source: str | Path | Bundle, device: str) -> str | Path | Bundle:
    """The bundle, verified. A lone ONNX file stays what it is: it runs on the processor."""
    if isinstance(source, Bundle):
        return source
    if Path(source).suffix != ".onnx":
        return load_bundle(Path(source))
    if device == GPU:
        raise InputError(
            f"--device gpu: engines are built from bundles, but {source} is a single file",
            hint="pass the bundle, or a built .engine file",
        )
    return source


def _fastest(sessions: Sequence[Session]) -> tuple[Session, Sequence[Candidate]]:
    """The fastest of warm sessions, and what was measured; the others are closed."""
    if len(sessions) == 1:
        return sessions[0], ()
    with ExitStack() as stack:
        for session in sessions:
            stack.callback(session.close)
        try:
            medians = _probe(sessions)
        except FrameError as error:
            raise InputError(
                f"the model cannot run: {error}", hint="run 'edgecl doctor' for details"
            ) from error
        stack.pop_all()
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


def _probe(sessions: Sequence[Session]) -> list[float]:
    """Median milliseconds of each session, run in turn, since machines drift.

    Tiles are run together, as on the line; the time is that of one.
    """
    contract = sessions[0].contract.input
    count = 1 if contract.tiling is None else PROBE_TILES
    images = np.random.default_rng(0).integers(0, 256, (count, 1, *contract.shape), np.uint8)
    times: list[list[int]] = [[] for _ in sessions]
    deadline = time.perf_counter() + PROBE_SECONDS * len(sessions)
    while len(times[0]) < 5 or (time.perf_counter() < deadline and len(times[0]) < 200):
        for session, taken in zip(sessions, times, strict=True):
            start = time.perf_counter_ns()
            infer_tiles(session, images)
            taken.append(time.perf_counter_ns() - start)
    return [float(np.median(taken)) / 1e6 / count for taken in times]
