"""Latency reports of made-up times, as the benchmark writes them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from runtime.benchmark.document import SideAccuracy, SideIdentity, SkippedSide
from runtime.benchmark.facts.scenario import FrameFacts, ScenarioFacts, Settling
from runtime.benchmark.report import Measurement, build_report
from runtime.machine import read_activity

ENGINES = ("onnxruntime", "openvino")


def make_report(*, names=("convnet", "shufflenet"), engines=ENGINES, rounds=40):
    """A report as the benchmark writes it, of made-up times."""
    rng = np.random.default_rng(0)
    sides, times = [], []
    for name in names:
        for precision, scale in (("fp32", 5.0), ("int8", 2.0)):
            for engine in engines:
                sides.append(
                    SideIdentity(
                        label=f"{name} {precision} {engine}",
                        name=name,
                        bundle=f"{name}.edgecl",
                        digest="0" * 64,
                        encoder=None,
                        precision=precision,
                        engine=engine,
                        engine_version="1.0",
                        device="CPU (1 thread)",
                        input=(1, 1, 8, 8),
                        accuracy=SideAccuracy(validation=0.98, test=0.97),
                        bytes=1_000_000,
                        parameters=None,
                        macs=None,
                    )
                )
                steps = {
                    "preprocess": rng.lognormal(0, 0.1, (rounds, 10)) * 1e5,
                    "infer": rng.lognormal(0, 0.2, (rounds, 10)) * scale * 1e6,
                }
                steps["total"] = steps["preprocess"] + steps["infer"]
                times.append({step: array.astype(np.int64) for step, array in steps.items()})
    now = read_activity()
    measured = Measurement(
        sides=sides,
        times=times,
        order=[list(range(len(sides)))] * rounds,
        before=now,
        after=replace(now, busy_s=None),
        wall_s=10.0,
        threads=1,
        left_out=[SkippedSide(label="x", reason=names[0])],
    )
    scenario = ScenarioFacts(
        kind="single-stream",
        frames=rounds * 10,
        rounds=rounds,
        block=10,
        settle=Settling(seconds=0.03, frames=2),
        warmup=30,
        frame=FrameFacts(height=8, width=8, channels=1, distinct=8, content="noise"),
        seed=0,
        threads=1,
    )
    return build_report(measured, scenario=scenario)
