"""Cache of built engines: where they are, which one fits, and why another does not.

An engine fits if it was built from the same ONNX file, by the same TensorRT, for the same GPU,
with the same options. Its own bytes say nothing: three builds of one model give three hashes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.engine.builder import BuildOptions
from export.engine.target import Target
from runtime.artifact.contract import ModelContract
from runtime.artifact.engine_file import (
    ENGINE_SUFFIX,
    SIDECAR_SUFFIX,
    EngineFile,
    read_engine_file,
    read_sidecar,
)
from runtime.errors import InputError

KEPT = 3
"""Number of engines of one precision kept beside the newest: other options, GPUs, TensorRTs."""


@dataclass(frozen=True)
class Wanted:
    """Description of the engine that is wanted.

    Args:
        onnx_sha256: of the model.
        options: how it must have been built; None for any way that takes single images.
    """

    precision: str
    onnx_sha256: str
    contract: ModelContract
    target: Target
    options: BuildOptions | None = None


@dataclass(frozen=True)
class Found:
    """Result of a search for an engine.

    Args:
        engine: the one that fits, verified; None if none does.
        reasons: why each of the others of that precision does not, newest first.
    """

    engine: EngineFile | None
    reasons: tuple[str, ...] = ()


def options_json(options: BuildOptions) -> dict[str, Any]:
    """Return the options for sidecar and key; the batches stand beside them."""
    return {
        "workspace": options.workspace,
        "builder_level": options.builder_level,
        "capabilities": list(options.capabilities),
    }


def batches_of(options: BuildOptions) -> tuple[int, int, int]:
    """Min, opt and max batch of the profile."""
    return options.batches.min, options.batches.opt, options.batches.max


def engine_key(precision: str, onnx_sha256: str, target: Target, options: BuildOptions) -> str:
    """The engine's name: SHA-256 over all that it depends on, in hexadecimal."""
    parts = {
        "precision": precision,
        "onnx": onnx_sha256,
        "module": target.module,
        "tensorrt": target.tensorrt,
        "device": target.device,
        "compute_capability": target.compute_capability,
        "options": options_json(options),
        "batches": batches_of(options),
    }
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def mismatch(engine: EngineFile, wanted: Wanted) -> str:
    """Explain why an engine is not the one wanted; empty if it is.

    Its precision is not looked at.
    """
    target, reasons = wanted.target, []
    if (engine.module, engine.tensorrt) != (target.module, target.tensorrt):
        reasons.append(
            f"it was built with {_builder(engine.module, engine.tensorrt)}, but this "
            f"machine has {_builder(target.module, target.tensorrt)}"
        )
    if (engine.device, engine.compute_capability) != (target.device, target.compute_capability):
        reasons.append(
            f"it was built for {engine.device} ({engine.compute_capability}), but this "
            f"machine has {target.device} ({target.compute_capability})"
        )
    if engine.onnx_sha256 != wanted.onnx_sha256:
        reasons.append("it was built from another ONNX file")
    elif engine.contract != wanted.contract:
        reasons.append("its labels or input differ from the bundle's")
    reasons += _other_options(engine, wanted.options)
    return " and ".join(reasons)


def look_up(folders: Sequence[Path], wanted: Wanted) -> Found:
    """Look for the engine wanted; the newest of those that fit is taken.

    Args:
        folders: that may hold engines; they need not exist.
    """
    reasons = []
    for path, described in _described(folders, wanted.precision):
        if isinstance(described, InputError):
            reasons.append(f"{path.name} is unusable: {described.problem}")
            continue
        reason = mismatch(described, wanted)
        if not reason:
            try:
                return Found(read_engine_file(path), tuple(reasons))
            except InputError as error:
                reason = error.problem
        reasons.append(reason)
    return Found(None, tuple(dict.fromkeys(reasons)))


def tidy(folder: Path, kept: EngineFile) -> list[Path]:
    """Remove the engines of a precision that nothing will use again, after a new one was built.

    Those are: of another ONNX file, sidecars without an engine, and the oldest beyond `KEPT`. What
    was built for other options, another GPU or TensorRT stays within that bound: two boxes or
    containers that share a folder would otherwise undo each other's work. What cannot be read is
    left to its owner.

    Args:
        folder: whose lock is held.
        kept: the new engine.

    Returns:
        The engines that were removed.
    """
    removed, others = [], 0
    for path, described in _described([folder], kept.precision):
        if path == kept.path or isinstance(described, InputError):
            continue
        if described.onnx_sha256 == kept.onnx_sha256 and path.exists():
            others += 1
            if others <= KEPT:
                continue
        path.unlink(missing_ok=True)
        described.sidecar.unlink(missing_ok=True)
        removed.append(path)
    return removed


def sweep(folder: Path) -> None:
    """Remove what a builder left behind when it was killed. The folder's lock is held."""
    for pattern in (f".*{ENGINE_SUFFIX}.*", f".*{SIDECAR_SUFFIX}.*", ".*.timing.*"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


def timing_cache_path(folder: Path, target: Target) -> Path:
    """Return the path of the builder's measurements: one file per TensorRT and GPU."""
    parts = (target.module, target.tensorrt, target.device, target.compute_capability)
    name = "-".join("".join(c if c.isalnum() or c == "." else "_" for c in part) for part in parts)
    return folder / f"{name}.timing"


def engines_in(folders: Sequence[Path]) -> Iterator[tuple[Path, EngineFile | InputError]]:
    """Yield every engine in the folders, newest first, or the error of its sidecar."""
    found: list[tuple[Path, EngineFile | InputError]] = []
    for folder in folders:
        for path in {
            *folder.glob(f"*{ENGINE_SUFFIX}"),
            *(side.with_suffix(ENGINE_SUFFIX) for side in folder.glob(f"*{SIDECAR_SUFFIX}")),
        }:
            try:
                found.append((path, read_sidecar(path)))
            except InputError as error:
                found.append((path, error))
    # Those that say nothing come last.
    yield from sorted(
        found,
        key=lambda pair: "" if isinstance(pair[1], InputError) else pair[1].built,
        reverse=True,
    )


def _described(
    folders: Sequence[Path], precision: str
) -> Iterator[tuple[Path, EngineFile | InputError]]:
    for path, described in engines_in(folders):
        if isinstance(described, InputError) or described.precision == precision:
            yield path, described


def _other_options(engine: EngineFile, options: BuildOptions | None) -> list[str]:
    if options is None:
        single = engine.batches[0] == 1
        return [] if single else [f"its smallest batch is {engine.batches[0]}"]
    reasons = []
    wanted = batches_of(options)
    if engine.batches != wanted:
        reasons.append(
            f"its batch size is {_range(engine.batches)}, but {_range(wanted)} is needed"
        )
    given: Mapping[str, Any] = engine.options
    for name, value in options_json(options).items():
        if given.get(name) != value:
            what = name.replace("_", " ")
            reasons.append(
                f"its {what} is {_plain(given.get(name))}, but {_plain(value)} is needed"
            )
    return reasons


def _builder(module: str, version: str) -> str:
    return f"TensorRT{' for RTX' if module == 'tensorrt_rtx' else ''} {version}"


def _range(batches: tuple[int, int, int]) -> str:
    least, best, most = batches
    return f"min {least}, opt {best}, max {most}" if most > 1 else "1"


def _plain(value: Any) -> str:
    if value is None or value == []:
        return "TensorRT's default"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
