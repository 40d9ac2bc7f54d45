"""Sides of a benchmark: every bundle in every precision on every engine, and lone files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runtime.artifact.bundle import Bundle, Precision, load_bundle
from runtime.artifact.engine_file import ENGINE_SUFFIX
from runtime.errors import InputError
from runtime.session.base import Session
from runtime.session.built import gpu_precisions, why_no_gpu
from runtime.session.spec import (
    AUTO,
    CPU,
    ENGINES,
    GPU,
    TENSORRT,
    device_for,
    installed_engines,
    runs_graphs,
)

LONE = (".onnx", ENGINE_SUFFIX)
"""Suffixes of models that are one file."""


@dataclass(frozen=True)
class CoreShare:
    """Share of the cores that a side has.

    Args:
        threads: of inference, of each worker; None for the scenario's.
        workers: frames that are judged at the same time; None where that was not asked for.
    """

    threads: int | None = None
    workers: int | None = None


@dataclass(frozen=True)
class Plan:
    """Plan of a side, before a session is open.

    Args:
        name: the bundle's name or the file's, made unique within one benchmark.
        source: a verified bundle, or a lone `.onnx` or `.engine` file.
        precision: as in the bundle; of a lone file as its name tells, or `auto`.
        engine: a name of `runtime.session.spec.ENGINES`.
        threads: inference threads where sides differ in them; None for the scenario's.
        workers: frames that are judged at the same time; None where that was not asked for.
        opener: opens a session of a rival, which no engine of edgecl runs; given the threads.
        entry: of a rival, the bundle's file that it is made of.
    """

    name: str
    source: Bundle | Path
    precision: str
    engine: str
    threads: int | None = None
    workers: int | None = None
    opener: Callable[[int], Session] | None = None
    entry: Precision | None = None

    @property
    def label(self) -> str:
        """Return the name of this side in the report."""
        precision = () if self.bundle is None else (self.precision,)
        shares = _counted(self.threads, "thread"), _counted(self.workers, "worker")
        return " ".join(filter(None, (self.name, *precision, self.engine, *shares)))

    @property
    def device(self) -> str:
        """`cpu` or `gpu`."""
        if self.rival:
            return CPU
        return ENGINES[self.engine].device

    @property
    def remote(self) -> bool:
        """Whether a server infers."""
        return not self.rival and ENGINES[self.engine].remote

    @property
    def rival(self) -> bool:
        """Whether it is there to compare with, and no line can run it."""
        return self.opener is not None

    @property
    def bundle(self) -> Bundle | None:
        """Return the bundle; None of a lone file."""
        return self.source if isinstance(self.source, Bundle) else None

    @property
    def path(self) -> Path:
        """Return the bundle's folder, or the lone file."""
        return self.source.path if isinstance(self.source, Bundle) else self.source

    @property
    def shipped(self) -> Precision | None:
        """Return the bundle's entry for the measured file; None of a lone file."""
        if self.rival:
            return self.entry
        if self.bundle is None:
            return None
        return self.bundle.precisions_for(ENGINES[self.engine].form)[self.precision]


def plan_sides(
    bundles: Sequence[Path],
    precisions: Sequence[str],
    engines: Sequence[str],
    device: str = CPU,
    shares: Sequence[CoreShare] = (),
) -> list[Plan]:
    """Every bundle × precision × engine, and every lone file × engine.

    Args:
        bundles: bundle folders, `.onnx` and `.engine` files; the same one twice is allowed and
            shows the noise floor.
        precisions: names; empty for all that each bundle holds.
        engines: names of `ENGINES`; empty for all that are installed.
        device: `cpu`; `gpu`; or `auto` for the processor, and TensorRT beside it where it works.
        shares: every side once with each of these; empty for once, with the scenario's threads.
            A side that infers elsewhere has no threads of its own.

    Raises:
        InputError: no bundle, a changed bundle, or a precision, engine or device that is not there.
    """
    if not bundles:
        raise InputError("no bundle given", hint="pass one: edgecl bench NAME.edgecl")
    chosen = _engines(engines, device)
    sources = [path if path.suffix in LONE else load_bundle(path) for path in bundles]
    names = _unique_names([_named(source) for source in sources])
    plans = []
    for name, source in zip(names, sources, strict=True):
        if isinstance(source, Bundle):
            pairs = _pairs(source, precisions, chosen)
        else:
            pairs = _of_lone_file(source, precisions, chosen)
        plans += [
            Plan(name, source, precision, engine, share.threads, share.workers)
            for precision, engine in pairs
            for share in _shares_on(engine, shares)
        ]
    return plans


def shared_out(plan: Plan, shares: Sequence[CoreShare]) -> list[Plan]:
    """Return a side on this processor once with each share of the cores."""
    return [
        replace(plan, threads=share.threads, workers=share.workers)
        for share in shares or (CoreShare(),)
    ]


def _shares_on(engine: str, shares: Sequence[CoreShare]) -> Iterable[CoreShare]:
    """Return the shares of the cores that make a difference to an engine."""
    spec = ENGINES[engine]
    if spec.device == CPU and not spec.remote:
        return shares or (CoreShare(),)
    return dict.fromkeys(CoreShare(None, share.workers) for share in shares or (CoreShare(),))


def _of_lone_file(
    path: Path, precisions: Sequence[str], engines: Sequence[str]
) -> list[tuple[str, str]]:
    """The engines that can run a lone file.

    Raises:
        InputError: no such file, a precision was asked for, or no engine takes the file.
    """
    if not path.is_file():
        raise InputError(f"no model found at {path}", hint="make one with 'edgecl export'")
    if precisions:
        raise InputError(
            f"--precision {precisions[0]}: {path} is a single file, and is what it is",
            hint="omit --precision, or pass the bundle",
        )
    if path.suffix == ENGINE_SUFFIX:
        absent = why_no_gpu()
        if absent is not None:
            raise InputError(f"{path}: {absent.problem}", hint=absent.hint) from absent
        return [(AUTO, TENSORRT.name)]
    found = [(AUTO, engine) for engine in engines if runs_graphs(engine)]
    if not found:
        raise InputError(
            f"{path} cannot be run by {', '.join(engines)}: it is a graph, no built engine",
            hint="use --engine onnxruntime, or pass the bundle",
        )
    return found


def _pairs(
    bundle: Bundle, precisions: Sequence[str], engines: Sequence[str]
) -> list[tuple[str, str]]:
    """Precisions and the engines that can run them, of one bundle."""
    forms = {name: ENGINES[name].form for name in engines}
    held: dict[str, Collection[str]] = {
        name: bundle.precisions_for(form) for name, form in forms.items()
    }
    if held.get(TENSORRT.name) and not precisions:
        held[TENSORRT.name] = gpu_precisions(bundle)
    pairs = []
    for precision in precisions or dict.fromkeys(name for found in held.values() for name in found):
        running = [engine for engine in engines if precision in held[engine]]
        if precisions and not running:
            # Refuses what the bundle does not hold, by name.
            bundle.onnx_path(precision, target=forms[engines[0]])
        pairs += [(precision, engine) for engine in running]
    if not pairs:
        gpu_precisions(bundle)  # raises if it has nothing for TensorRT
    return pairs


def _engines(engines: Sequence[str], device: str) -> tuple[str, ...]:
    for engine in engines:
        if not ENGINES[engine].built:  # TensorRT is asked for below, with its driver and device
            ENGINES[engine].require()
        device_for(device, engine)
    wanted = TENSORRT.name in engines if engines else device_for(device, AUTO) != CPU
    absent = why_no_gpu() if wanted else None
    if absent is not None and (engines or device == GPU):
        raise InputError(f"--device gpu: {absent.problem}", hint=absent.hint) from absent
    if engines:
        return tuple(engines)
    own = () if device == GPU else installed_engines()
    return (*own, TENSORRT.name) if wanted and absent is None else own


def _counted(count: int | None, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}" if count else ""


def _named(source: Bundle | Path) -> tuple[str, Path]:
    """Return the name of a model, and the folder that tells it from others of that name."""
    if isinstance(source, Bundle):
        return source.name, source.path.parent
    return source.name, source.parent


def _unique_names(named: Sequence[tuple[str, Path]]) -> list[str]:
    counts = Counter(name for name, _ in named)
    names: list[str] = []
    for name, folder in named:
        if counts[name] > 1 and folder.name:
            name = f"{folder.name}/{name}"
        repeats = sum(1 for earlier in names if earlier.partition(" #")[0] == name)
        names.append(f"{name} #{repeats + 1}" if repeats else name)
    return names
