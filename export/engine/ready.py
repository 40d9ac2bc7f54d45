"""Engine for a bundle: a cached one, or one built now."""

from __future__ import annotations

import hashlib
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from export.engine.builder import BuildOptions, build_engine, usual_batches
from export.engine.cache import (
    Found,
    Wanted,
    batches_of,
    engine_key,
    look_up,
    options_json,
    sweep,
    tidy,
    timing_cache_path,
)
from export.engine.folders import engine_folders, require_private, writable_folder
from export.engine.lock import only_builder
from export.engine.memory import MIB, preflight
from export.engine.modules import load_tensorrt
from export.engine.progress import silent
from export.engine.target import Target, target_of
from runtime.artifact.bundle import Bundle
from runtime.artifact.engine_file import ENGINE_SUFFIX, EngineFile, write_engine_file
from runtime.errors import InputError
from runtime.files.atomic import replacing
from runtime.progress import Say, StageProgress


def ready_engine(
    bundle: Bundle,
    precision: str,
    *,
    options: BuildOptions | None = None,
    trt: Any = None,
    probe: Any = None,
    report: StageProgress = silent,
    say: Say = lambda line: None,
    own_only: bool = False,
) -> Path:
    """The engine of a bundle for this machine, built if there is none that fits.

    Of several processes that ask at once, one builds and the others wait for it. A build that is
    killed leaves nothing that could be taken for an engine. Not to be called from several threads.

    Args:
        bundle: as `load_bundle` verified it.
        options: how to build; None takes an engine that was built in any way, and builds with
            TensorRT's own limits and `usual_batches`, where there is none.
        trt: the TensorRT module; None for the one that the probe found.
        probe: what `runtime.gpu.probe.probe_gpu` found; None to ask it.
        report: called with (stage, done, total, text) as the build goes on.
        say: given a line about what is built, and why; and one when it is done.
        own_only: take engines only out of the user's own cache, and put them there. For bundles
            whose signature was checked: it does not cover engines.

    Returns:
        The engine's path; its sidecar lies beside it, and both were verified.

    Raises:
        InputError: no TensorRT or GPU here, no such precision, too little memory or disk, or the
            model cannot be built.
        KeyboardInterrupt: Ctrl-C during the build.
    """
    target = target_of(_probed() if probe is None else probe)
    path = bundle.onnx_path(precision, target="tensorrt")
    model = _read_model(bundle, path)
    if options is not None:
        options = _for_rtx(options, target)
    wanted = Wanted(precision, hashlib.sha256(model).hexdigest(), bundle.contract, target, options)
    folders = engine_folders(bundle.path, own_only=own_only)
    if own_only:
        require_private(folders[0])
    found = look_up(folders, wanted)
    if found.engine:
        return found.engine.path
    folder = writable_folder(folders)
    with only_builder(folder, say):
        # Whoever held the lock may have built it meanwhile.
        found = look_up(folders, wanted)
        if found.engine:
            return found.engine.path
        sweep(folder)
        say(_reason(precision, target, found))
        built = _build(trt, model, path, folder, wanted, report)
        say(f"built in {built.seconds:.1f} s: {built.path}")
        removed = tidy(folder, built)
        if removed:
            say(f"removed {len(removed)} unusable {precision} engine{'s' * (len(removed) > 1)}")
    return built.path


def _build(
    trt: Any, model: bytes, path: Path, folder: Path, wanted: Wanted, report: StageProgress
) -> EngineFile:
    target = wanted.target
    contract = wanted.contract
    usual = BuildOptions(usual_batches(contract.input))
    options = _for_rtx(wanted.options or usual, target)
    key = engine_key(wanted.precision, wanted.onnx_sha256, target, options)
    limited = preflight(target, len(model), contract.input.shape, options)
    _require_disk(folder, len(model))
    trt = load_tensorrt(target.module) if trt is None else trt
    timing = timing_cache_path(folder, target)
    started = time.monotonic()
    engine = build_engine(
        trt,
        model,
        limited,
        timing_cache_data=timing.read_bytes() if timing.is_file() else b"",
        where=str(path),
        report=lambda stage, done, total, text: report(
            f"engine {wanted.precision}", done, total, text
        ),
    )
    built = EngineFile(
        path=folder / f"{key}{ENGINE_SUFFIX}",
        engine_sha256=hashlib.sha256(engine.plan).hexdigest(),
        onnx_sha256=wanted.onnx_sha256,
        precision=wanted.precision,
        contract=contract,
        tensorrt=target.tensorrt,
        module=target.module,
        device=target.device,
        compute_capability=target.compute_capability,
        options=options_json(options),
        batches=batches_of(options),
        built=datetime.now(timezone.utc).isoformat(),
        seconds=round(time.monotonic() - started, 3),
    )
    write_engine_file(built, engine.plan)
    if engine.timing_cache:
        # The engine is there; that the next build measures again is no reason to fail.
        with suppress(InputError), replacing(timing) as temporary:
            temporary.write_bytes(engine.timing_cache)
    return built


def _probed() -> Any:
    from runtime.gpu.probe import probe_gpu

    return probe_gpu()


def _read_model(bundle: Bundle, path: Path) -> bytes:
    """Return the ONNX file's bytes, verified against the manifest and its signature."""
    try:
        model = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror})", hint="copy the whole bundle again"
        ) from error
    entry = bundle.manifest.files.get(path.name)
    if entry is None or entry.sha256 != hashlib.sha256(model).hexdigest():
        raise InputError(
            f"{path} does not match the manifest",
            hint="copy the bundle again, or export it again",
        )
    return model


def _for_rtx(options: BuildOptions, target: Target) -> BuildOptions:
    """Restrict TensorRT for RTX to this GPU; otherwise it compiles for every one it knows."""
    if options.capabilities or target.module != "tensorrt_rtx":
        return options
    return replace(options, capabilities=(target.compute_capability,))


def _require_disk(folder: Path, onnx_bytes: int) -> None:
    # An engine is about as large as its ONNX file, kernels added; its timing cache lies beside it.
    need = 2 * onnx_bytes + 32 * MIB
    free = shutil.disk_usage(folder).free
    if free < need:
        raise InputError(
            f"not enough disk space for the engine: {free / MIB:,.0f} MiB free in "
            f"{folder}, about {need / MIB:,.0f} MiB needed",
            hint="free some space, or set XDG_CACHE_HOME to a folder on another disk",
        )


def _reason(precision: str, target: Target, found: Found) -> str:
    why = "; ".join(found.reasons) if found.reasons else "none exists yet"
    kind = "rebuilding" if found.reasons else "building"
    return f"{kind} the {precision} engine for {target.title}, once: {why}"
