"""Sides of a benchmark: every bundle in every precision on every engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.artifact.bundle import Bundle, Precision, load_bundle
from runtime.errors import InputError
from runtime.session.built import gpu_precisions, why_no_gpu
from runtime.session.spec import (
    AUTO,
    CPU,
    ENGINES,
    GPU,
    TENSORRT,
    device_for,
    installed_engines,
)


@dataclass(frozen=True)
class Plan:
    """Plan of a side, before a session is open.

    Args:
        name: the bundle's name, made unique among the bundles of one benchmark.
        bundle: verified.
        precision: as in the bundle.
        engine: a name of `runtime.session.spec.ENGINES`.
    """

    name: str
    bundle: Bundle
    precision: str
    engine: str

    @property
    def label(self) -> str:
        """Return the name of this side in the report."""
        return f"{self.name} {self.precision} {self.engine}"

    @property
    def device(self) -> str:
        """`cpu` or `gpu`."""
        return ENGINES[self.engine].device

    @property
    def shipped(self) -> Precision:
        """Return the bundle's entry for the measured file."""
        return self.bundle.precisions_for(ENGINES[self.engine].form)[self.precision]


def plan_sides(
    bundles: Sequence[Path],
    precisions: Sequence[str],
    engines: Sequence[str],
    device: str = CPU,
) -> list[Plan]:
    """Every bundle × precision × engine.

    Args:
        bundles: bundle folders; the same one twice is allowed and shows the noise floor.
        precisions: names; empty for all that each bundle holds.
        engines: names of `ENGINES`; empty for all that are installed.
        device: `cpu`; `gpu`; or `auto` for the processor, and TensorRT beside it where it works.

    Raises:
        InputError: no bundle, a changed bundle, or a precision, engine or device that is not there.
    """
    if not bundles:
        raise InputError("no bundle given", hint="pass one: edgecl bench NAME.edgecl")
    chosen = _engines(engines, device)
    loaded = [load_bundle(path) for path in bundles]
    return [
        Plan(name, bundle, precision, engine)
        for name, bundle in zip(_unique_names(loaded), loaded, strict=True)
        for precision, engine in _pairs(bundle, precisions, chosen)
    ]


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


def _unique_names(bundles: Sequence[Bundle]) -> list[str]:
    counts = Counter(bundle.name for bundle in bundles)
    names: list[str] = []
    for bundle in bundles:
        name = bundle.name
        if counts[name] > 1 and bundle.path.parent.name:
            name = f"{bundle.path.parent.name}/{name}"
        repeats = sum(1 for earlier in names if earlier.partition(" #")[0] == name)
        names.append(f"{name} #{repeats + 1}" if repeats else name)
    return names
