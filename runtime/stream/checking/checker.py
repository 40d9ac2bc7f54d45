"""A whole check, of a bundle by itself or of a running stream."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.bundle import Bundle
from runtime.camera.base import Camera, Frame
from runtime.errors import EdgeclError, FrameError
from runtime.health.scene import scene_of
from runtime.session import Session
from runtime.session.golden import read_golden
from runtime.stream.answering.answerer import Answerer
from runtime.stream.checking.checks import (
    REFERENCE_FOCUS,
    SceneLimits,
    check_golden,
    check_parts,
    check_scene,
    failures_of,
)
from runtime.stream.checking.report import (
    CheckReport,
    GoldenCheck,
    PartsCheck,
    SceneCheck,
    SceneReference,
    read_reference,
)
from runtime.stream.pipeline import Pipeline

FRAMES = 20
"""Frames whose light and focus are averaged."""

WAIT_S = 10.0
"""Longest wait for the frames of a running stream, in seconds."""

_POLL_S = 0.005


@dataclass(frozen=True)
class CheckPlan:
    """Objects of a check, beside the bundle's golden images.

    Args:
        parts: folder of the site's own parts; None for none. `{recipe}` in it is the recipe's id.
        allowed_wrong: how many of them may be answered wrongly.
        reference: recorded light and focus; None for those of the training images.
        frames: of each camera.
    """

    parts: Path | None = None
    allowed_wrong: int = 0
    reference: Path | None = None
    frames: int = FRAMES

    def parts_of(self, recipe: str) -> Path | None:
        """Return the folder of a recipe's parts."""
        return None if self.parts is None else Path(str(self.parts).replace("{recipe}", recipe))


@dataclass
class LineCheck:
    """A check of one bundle.

    Args:
        plan: what is looked at.
        bundle: which is open in `session`.
        session: that answers; nobody else uses it meanwhile.
        answerer: the same with the line's rules.
        recipe: id, where the stream has recipes.
    """

    plan: CheckPlan
    bundle: Bundle
    session: Session
    answerer: Answerer
    recipe: str = ""
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def run(self, cameras: Mapping[str, Callable[[], Iterable[Frame]]]) -> CheckReport:
        """Look at everything.

        Args:
            cameras: gives frames of each camera, by its name.

        Returns:
            The report. What cannot be looked at fails the check, with its reason.
        """
        started, made_at = time.monotonic(), now()
        golden, parts = self._golden(), self._parts()
        scenes = tuple(self._scenes(cameras))
        failures = [*failures_of(golden, parts, scenes), *self.failures]
        return CheckReport(
            passed=not failures,
            failures=tuple(failures),
            notes=tuple(self.notes),
            made_at=made_at,
            seconds=round(time.monotonic() - started, 3),
            model=str(self.bundle.path),
            recipe=self.recipe,
            digest=self.bundle.manifest.digest,
            precision=self.session.precision,
            engine=self.session.engine,
            golden=golden,
            parts=parts,
            cameras=scenes,
        )

    def _golden(self) -> GoldenCheck | None:
        try:
            images = read_golden(self.bundle)
            if images is None:
                self.notes.append("the bundle has no golden images; export it again for some")
                return None
            return check_golden(self.session, images)
        except (EdgeclError, FrameError) as error:
            self.failures.append(f"golden images: {error}")
            return None

    def _parts(self) -> PartsCheck | None:
        folder = self.plan.parts_of(self.recipe)
        if folder is None:
            return None
        labels = self.session.contract.labels
        try:
            return check_parts(self.answerer, folder, labels, self.plan.allowed_wrong)
        except EdgeclError as error:
            self.failures.append(f"parts: {error}")
            return None

    def _scenes(self, cameras: Mapping[str, Callable[[], Iterable[Frame]]]) -> Iterable[SceneCheck]:
        if not cameras:
            return
        limits = self._limits()
        if limits is None:
            return
        for name, frames in cameras.items():
            try:
                yield check_scene(seen(self.answerer, frames()), limits, name)
            except (EdgeclError, FrameError) as error:
                self.failures.append(f"camera: {error}")

    def _limits(self) -> SceneLimits | None:
        path, scene = self.plan.reference, self.bundle.manifest.scene
        try:
            if path is not None:
                recorded = read_reference(path)
                if recorded.digest != self.bundle.manifest.digest:
                    self.notes.append(
                        f"{path} was recorded with another bundle; light and focus compare only "
                        "where both see the same part of a frame at one size"
                    )
                return SceneLimits.of(recorded.scene, str(path), REFERENCE_FOCUS)
        except EdgeclError as error:
            self.failures.append(f"reference: {error}")
            return None
        if scene is None:
            self.notes.append(
                "the bundle does not tell light and focus of its training images; record a "
                "reference with 'edgecl check --record'"
            )
            return None
        return SceneLimits.of(scene, "bundle")


def seen(answerer: Answerer, frames: Iterable[Frame]) -> list[NDArray[np.uint8]]:
    """Return what the model sees of frames; those without pixels are left out.

    Raises:
        FrameError: it does not take one.
    """
    return [answerer.look(frame.pixels, frame.bits) for frame in frames if frame.pixels is not None]


def frames_of(camera: Camera, count: int) -> list[Frame]:
    """Read so many frames of a camera, or as many as it has."""
    found: list[Frame] = []
    while len(found) < count and (frame := camera.read()) is not None:
        found.append(frame)
    return found


def frames_in_service(pipeline: Pipeline, count: int, wait_s: float = WAIT_S) -> list[Frame]:
    """Collect frames of a running stream as they come, beside its judge, which does not notice.

    Returns:
        At least one, or fewer than asked for where no more came in time.
    """
    found: dict[int, Frame] = {}
    until = time.monotonic() + wait_s
    first = pipeline.last_frame
    while len(found) < count and time.monotonic() < until and not pipeline.wait(_POLL_S):
        frame = pipeline.last_frame
        if frame is not None and frame is not first:
            found[frame.number] = frame
    return list(found.values())


def recorded_reference(
    answerer: Answerer, frames: Sequence[Frame], camera: str, digest: str
) -> SceneReference:
    """Return light and focus of frames, as a reference for later checks.

    Raises:
        FrameError: there are none, or the model does not take one.
    """
    images = seen(answerer, frames)
    scene = scene_of(np.stack(images)) if images else None
    if scene is None:
        raise FrameError(f"{camera} gave no frame to look at")
    return SceneReference(recorded_at=now(), camera=camera, digest=digest, scene=scene)


def now() -> str:
    """Return the moment, ISO 8601 with `Z`."""
    moment = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "Z")
