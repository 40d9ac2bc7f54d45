"""Sides of a benchmark from the runs that its bundles were exported from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec

from edgecl.exporting.folding import folded_to_gray
from edgecl.learning.run.run_directory import load_classifier
from edgecl.rivals.sessions import NncfSession, TorchSession
from runtime.artifact.bundle import Bundle
from runtime.benchmark.planning import Plan
from runtime.errors import InputError
from runtime.session.golden import read_golden


def rival_plans(runs: Sequence[Path], plans: Sequence[Plan]) -> list[Plan]:
    """Return torch, torch.compile and NNCF as sides, for the bundles of finished runs.

    torch has the run's weights, and so the accuracy of the bundle's FP32. NNCF quantises that graph
    with the golden images; nobody measured what that loses.

    Args:
        runs: run directories.
        plans: the sides of the bundles.

    Raises:
        InputError: a run is not finished, or no bundle was exported from it.
    """
    bundles = {plan.name: plan.bundle for plan in plans if plan.bundle is not None}
    found: list[Plan] = []
    for run in runs:
        own = [
            (name, bundle)
            for name, bundle in bundles.items()
            if (origin := bundle.manifest.origin) is not None and origin.run == run.resolve().name
        ]
        if not own:
            raise InputError(
                f"none of the bundles was exported from the run {run}",
                hint="pass the bundle that 'edgecl export' made of it, or another run",
            )
        classifier, recorded = load_classifier(run)
        deployed = folded_to_gray(classifier, recorded.choices)
        for name, bundle in own:
            for compiled in (False, True):
                opener = partial(_open_torch, deployed, bundle, compiled)
                engine = "torch.compile" if compiled else "torch"
                trained = bundle.precisions.get("fp32")
                found.append(Plan(name, bundle, "fp32", engine, opener=opener, entry=trained))
            found += _nncf(name, bundle)
    return found


def _nncf(name: str, bundle: Bundle) -> Iterator[Plan]:
    golden = read_golden(bundle)
    entry = bundle.precisions.get("fp32")
    if golden is None or entry is None:  # nothing to quantise, or to calibrate with
        return
    unknown = msgspec.structs.replace(entry, accuracy=math.nan, test_accuracy=None)
    graph = bundle.onnx_path("fp32")

    def opener(threads: int) -> NncfSession:
        return NncfSession(graph, golden.images, bundle.contract, threads=threads)

    yield Plan(name, bundle, "int8", "nncf", opener=opener, entry=unknown)


def _open_torch(classifier: object, bundle: Bundle, compiled: bool, threads: int) -> TorchSession:
    return TorchSession(classifier, bundle.contract, threads=threads, compiled=compiled)  # type: ignore[arg-type]
