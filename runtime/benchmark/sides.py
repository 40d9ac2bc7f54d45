"""A side of the comparison: one bundle in one precision on one engine, judging frames."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import Bundle, load_bundle
from runtime.errors import InputError
from runtime.preprocess import Preprocessor
from runtime.session.base import Session
from runtime.session.opening import ENGINES, installed_engines, open_session
from runtime.verdict import decide

TOTAL = "total"
"""From the frame at hand to the decision; more than the sum of the steps by what lies between."""

UNSURE_BELOW = 0.5
"""Confidence below which a verdict is `unsure`; its value does not change what deciding costs."""


@dataclass(frozen=True)
class Plan:
    """What a side will be, before a session is open.

    Args:
        name: the bundle's name, made unique among the bundles of one benchmark.
        bundle: verified.
        precision: as in the bundle.
        engine: a key of `runtime.session.ENGINES`.
    """

    name: str
    bundle: Bundle
    precision: str
    engine: str

    @property
    def label(self) -> str:
        """How the report calls this side."""
        return f"{self.name} {self.precision} {self.engine}"


class Side:
    """An open session with its buffers, made once.

    Args:
        plan: what to open.
        threads: inference threads.

    Raises:
        InputError: the engine cannot load the model.
    """

    def __init__(self, plan: Plan, *, threads: int) -> None:
        self.plan = plan
        self.session: Session = open_session(
            plan.bundle, plan.precision, engine=plan.engine, threads=threads
        )
        self._preprocess = Preprocessor(self.session.contract.input)
        self._batch = self._preprocess.allocate()

    def judge(self, frame: NDArray[np.uint8]) -> tuple[str, dict[str, int]]:
        """Judge one frame.

        Returns:
            The status, and nanoseconds per step, `total` among them.
        """
        start = time.perf_counter_ns()
        self._preprocess(frame, self._batch[0, 0])
        prepared = time.perf_counter_ns()
        outputs, inside = self.session.infer_timed(self._batch)
        answered = time.perf_counter_ns()
        decision = decide(outputs.probabilities[0], self.session.contract, UNSURE_BELOW)
        end = time.perf_counter_ns()
        times = {"preprocess": prepared - start, **inside, "decide": end - answered}
        times[TOTAL] = end - start
        return decision.status, times

    def describe(self) -> dict[str, Any]:
        """The side without its times, for the report."""
        bundle, name = self.plan.bundle, self.plan.precision
        precision = bundle.precisions_for(self.plan.engine)[name]
        origin = bundle.manifest.get("origin") or {}
        return {
            "label": self.plan.label,
            "name": self.plan.name,
            "bundle": str(bundle.path),
            "digest": bundle.manifest.get("digest"),
            "encoder": origin.get("encoder"),
            "precision": name,
            "engine": self.plan.engine,
            "engine_version": self.session.version,
            "device": self.session.device,
            "input": list(self.session.contract.input.shape),
            "accuracy": {"validation": precision.accuracy, "test": precision.test_accuracy},
            "bytes": precision.bytes,
            "parameters": origin.get("parameters"),
            "macs": origin.get("macs"),
        }

    def close(self) -> None:
        """Free what the engine holds."""
        self.session.close()


def plan_sides(
    bundles: Sequence[Path], precisions: Sequence[str], engines: Sequence[str]
) -> list[Plan]:
    """Every bundle × precision × engine.

    Args:
        bundles: bundle folders; the same one twice is allowed and shows the noise floor.
        precisions: names; empty for all that each bundle holds.
        engines: keys of `ENGINES`; empty for all that are installed.

    Raises:
        InputError: no bundle, a changed bundle, or a precision or engine that is not there.
    """
    if not bundles:
        raise InputError("no bundle was named", mend="give one: edgecl bench NAME.edgecl")
    for engine in engines:
        if engine not in ENGINES:
            raise InputError(
                f"there is no engine {engine!r}", mend=f"choose among {', '.join(ENGINES)}"
            )
        if engine not in installed_engines():
            raise InputError(
                f"the engine {engine} is not installed",
                mend=f"install it: {ENGINES[engine].install}",
            )
    loaded = [load_bundle(path) for path in bundles]
    plans = []
    for name, bundle in zip(_unique_names(loaded), loaded, strict=True):
        for precision in precisions or tuple(bundle.precisions):
            bundle.onnx_path(precision)  # refuses what the bundle does not hold, by name
            plans += [
                Plan(name, bundle, precision, engine) for engine in engines or installed_engines()
            ]
    return plans


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
