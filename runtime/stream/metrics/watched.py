"""Running streams as they are at the moment when somebody asks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from runtime.camera import Camera
from runtime.session import Session
from runtime.stream.health import with_outages
from runtime.stream.heat_maps import HeatMapWriter
from runtime.stream.ledger import Snapshot
from runtime.stream.parts.summary import PartsAccount
from runtime.stream.pipeline import Pipeline
from runtime.stream.sinks.base import Sink, StreamFacts

VERDICTS = "verdicts"
"""Name by which metrics call the stream's own file of verdicts."""


@dataclass(frozen=True)
class WatchedStream:
    """A stream whose accounts are read when somebody asks; until then, it costs nothing.

    Args:
        name: of its camera, where there are several; empty otherwise.
        pipeline: keeps the accounts.
        camera: whose frames.
        sinks: where this camera's verdicts go, the stream's own file first.
        heat_maps: None where there are none.
    """

    name: str
    pipeline: Pipeline
    camera: Camera
    sinks: Sequence[Sink]
    heat_maps: HeatMapWriter | None = None

    def observed(self) -> ObservedStream:
        """Return the stream as it is now."""
        return ObservedStream(self, self.pipeline.ledger.snapshot())


@dataclass(frozen=True)
class ObservedStream:
    """A stream as it was at one moment.

    Each property maps the values of one label to numbers, `""` where there is no label; it is
    empty where nothing is known.
    """

    stream: WatchedStream
    snapshot: Snapshot

    @property
    def name(self) -> str:
        """Return the camera's name."""
        return self.stream.name

    @property
    def judging(self) -> Mapping[str, float]:
        """Return 1 until the camera has ended, then 0."""
        return {"": float(not self.stream.pipeline.wait(0))}

    @property
    def frame_age(self) -> Mapping[str, float]:
        """Return the seconds since the capture of the newest frame with a verdict.

        Before the first one they count from the start of the stream.
        """
        last = self.snapshot.last
        if last is None:
            return {"": self.stream.pipeline.seconds}
        return {"": (time.monotonic_ns() - last.captured_ns) / 1e9}

    @property
    def health(self) -> Mapping[str, float]:
        """Return faults by name."""
        return with_outages(self.snapshot.health, self.stream.camera)

    @property
    def drift(self) -> Mapping[str, float]:
        """Return 1 while too many frames are far from the training images."""
        drift = self.stream.pipeline.drift
        if drift is None:
            return {}
        return {"": float(drift.counted == drift.window and drift.far >= drift.least)}

    @property
    def exceeded(self) -> Mapping[str, float]:
        """Return how often each step was over its limit."""
        limits = self.stream.pipeline.settings.rules.budget.limits
        return {step: self.snapshot.misses_by_step.get(step, 0) for step in limits}

    @property
    def limits(self) -> Mapping[str, float]:
        """Return limits in seconds, by step."""
        limits = self.stream.pipeline.settings.rules.budget.limits
        return {step: limit / 1e9 for step, limit in limits.items()}

    @property
    def camera_up(self) -> Mapping[str, float]:
        """Return 1, and 0 while a camera that is opened again is away."""
        camera = self.stream.camera
        return {"": float(not camera.away)} if camera.reconnects else {}

    @property
    def reconnections(self) -> Mapping[str, float]:
        """Return how often a lost camera came back."""
        camera = self.stream.camera
        outages = camera.losses + camera.stalls
        return {"": max(0, outages - camera.away)} if camera.reconnects else {}

    @property
    def seconds_lost(self) -> Mapping[str, float]:
        """Return the seconds without frames in all outages."""
        camera = self.stream.camera
        return {"": camera.seconds_lost} if camera.reconnects else {}

    @property
    def camera_statistics(self) -> Mapping[str, float]:
        """Return counts of camera and driver, by name."""
        return dict(self.stream.camera.statistics)

    @property
    def heat_maps(self) -> Mapping[str, float]:
        """Return heat maps by what became of them."""
        if self.stream.heat_maps is None:
            return {}
        account = self.stream.heat_maps.account()
        return {
            "written": account.written,
            "left_out": account.left_out,
            "failed": account.failed,
        }


@dataclass(frozen=True)
class WatchedStation:
    """All streams of a process, and what they share.

    Args:
        facts: of the bundle that the streams began with.
        session: that judges; it may turn over to another engine while it runs.
        streams: one, or one per camera.
        shared: sinks that take the verdicts of all cameras.
        parts: returns the counts of the parts; None where they are not joined.
    """

    facts: StreamFacts
    session: Session
    streams: Sequence[WatchedStream]
    shared: Sequence[Sink] = ()
    parts: Callable[[], PartsAccount] | None = None

    def judging(self) -> tuple[str, str, Session]:
        """Return name and digest of the bundle that judges now, and the session."""
        facts, session = self.facts, self.session
        recipe = self.streams[0].pipeline.judges.recipe if self.streams else None
        if recipe is None or not recipe.mark.id:
            return facts.bundle, facts.digest, session
        return recipe.mark.bundle, recipe.mark.digest, recipe.session

    def sinks(self) -> list[tuple[str, str, Sink]]:
        """Return all sinks, with a camera's name and a name that no other of its sinks has."""
        found = [(stream.name, sink) for stream in self.streams for sink in stream.sinks]
        names: Counter[tuple[str, str]] = Counter()
        named = []
        own = {id(stream.sinks[0]) for stream in self.streams if stream.sinks}
        for camera, sink in [*found, *(("", sink) for sink in self.shared)]:
            name = VERDICTS if id(sink) in own else sink.name
            names[camera, name] += 1
            count = names[camera, name]
            named.append((camera, name if count == 1 else f"{name} ({count})", sink))
        return named
