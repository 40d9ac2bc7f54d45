"""The engines that were built of a bundle, and whether they fit this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.errors import InputError

if TYPE_CHECKING:
    from export.engine.target import Target
    from runtime.artifact.bundle import Bundle
    from runtime.artifact.engine_file import EngineFile


def engines_of(bundle: Bundle) -> list[dict[str, Any]]:
    """List a bundle's engines, newest first: sidecar fields, `state` and `reason`.

    `state` is `fits`, `stale`, `damaged`, or `unknown` where this machine has no TensorRT or GPU
    to hold it against. The GPU is asked only if there are engines that say what they are for.
    """
    from export.engine.cache import engines_in
    from export.engine.folders import engine_folders

    found = list(engines_in(engine_folders(bundle.path)))
    readable = any(not isinstance(described, InputError) for _, described in found)
    target, absent = _this_machine() if readable else (None, "")
    return [_entry(bundle, path, described, target, absent) for path, described in found]


def _entry(
    bundle: Bundle,
    path: Path,
    described: EngineFile | InputError,
    target: Target | None,
    absent: str,
) -> dict[str, Any]:
    from runtime.artifact.engine_file import read_engine_file
    from runtime.files.document import plain

    try:
        if isinstance(described, InputError):
            raise described
        read_engine_file(path)
    except InputError as error:
        return {"file": str(path), "state": "damaged", "reason": error.problem}
    assert not isinstance(described, InputError)
    state, reason = _state(bundle, described, target, absent)
    sidecar = plain(described.document())
    del sidecar["contract"], sidecar["schema"]
    return {
        "file": str(path),
        "state": state,
        "reason": reason,
        "bytes": path.stat().st_size,
        **sidecar,
    }


def _state(
    bundle: Bundle, engine: EngineFile, target: Target | None, absent: str
) -> tuple[str, str]:
    from export.engine.cache import Wanted, mismatch

    held = bundle.tensorrt.get(engine.precision)
    if held is None:
        return "stale", f"the bundle has no {engine.precision} for TensorRT"
    if target is None:
        return "unknown", absent
    digest = bundle.manifest.files[held.file].sha256
    reason = mismatch(engine, Wanted(engine.precision, digest, bundle.contract, target))
    return ("stale", reason) if reason else ("fits", "")


def _this_machine() -> tuple[Target | None, str]:
    from export.engine.target import target_of
    from runtime.gpu.probe import probe_gpu

    try:
        return target_of(probe_gpu()), ""
    except InputError as error:
        return None, error.problem
