"""Opening a model in engines that run its graph as it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from runtime.artifact.bundle import PRECISIONS, Bundle, load_bundle
from runtime.errors import EdgeclError, InputError
from runtime.progress import Say
from runtime.session.base import Session, warmed
from runtime.session.golden import answering, read_golden
from runtime.session.spec import AUTO, ENGINES, installed_engines


def default_threads() -> int:
    """The cores that this process may use."""
    return max(
        1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )


def open_graphs(
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
            session = warmed(ENGINES[name].open(path, precision=label, threads=count))
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
    forms = {engine: ENGINES[engine].form for engine in engines}
    held = {engine: source.precisions_for(form) for engine, form in forms.items()}
    if precision != AUTO and not any(precision in found for found in held.values()):
        source.onnx_path(precision, target=forms[engines[0]])  # says why not
    return [
        (label, engine, source.onnx_path(label, target=forms[engine]))
        for engine, found in held.items()
        for label in found
        if precision in (AUTO, label)
    ]


def _precision_of(path: Path) -> str:
    return next((part for part in path.name.split(".")[1:-1] if part in PRECISIONS), "onnx")


def _engines(engine: str) -> tuple[str, ...]:
    if engine == AUTO:
        return installed_engines()
    ENGINES[engine].require()
    return (engine,)
