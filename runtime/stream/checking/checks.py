"""Checks of a line: golden images, the site's own parts, light and focus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.scene import SceneRecord
from runtime.camera.stored.folder import FolderCamera
from runtime.counting import counted, noun
from runtime.errors import FrameError, InputError
from runtime.health.limits import LIGHT_MARGIN, OUT_OF_FOCUS
from runtime.health.statistics import level, sharpness
from runtime.image.folder.labelled import find_with_truth
from runtime.session import Session
from runtime.session.golden import LARGEST_CHANGE, GoldenImages, changes
from runtime.stream.answering.answerer import Answerer
from runtime.stream.checking.report import GoldenCheck, PartsCheck, SceneCheck, WrongPart
from runtime.stream.verdict import Decision, Status

GOOD, BAD = "good", "bad"
WRONG_KEPT = 50

REFERENCE_FOCUS = 0.8
"""Share of a recorded focus that has to be left. More than of the training images', which come from
many coils: the reference is this camera's own."""


@dataclass(frozen=True)
class SceneLimits:
    """Limits of light and focus.

    Args:
        least_brightness, most_brightness: mean of the frames, as a share of white.
        least_focus: mean sharpness.
        against: `bundle`, or the file of a recorded reference.
    """

    least_brightness: float
    most_brightness: float
    least_focus: float
    against: str

    @classmethod
    def of(cls, scene: SceneRecord, against: str, focus: float = OUT_OF_FOCUS) -> SceneLimits:
        """Return the limits that a recorded scene sets.

        Args:
            focus: share of its usual sharpness that has to be left.
        """
        return cls(
            scene.level.q01 * (1 - LIGHT_MARGIN),
            scene.level.q99 * (1 + LIGHT_MARGIN),
            scene.sharpness.q50 * focus,
            against,
        )


def check_golden(session: Session, golden: GoldenImages) -> GoldenCheck:
    """Answer the golden images again.

    Raises:
        FrameError: the session did not answer.
    """
    found = changes(session, golden)
    largest = float(found.max())
    return GoldenCheck(
        images=len(found),
        wrong=int((found > LARGEST_CHANGE).sum()),
        largest_change=round(largest, 6) if np.isfinite(largest) else None,
        allowed_change=LARGEST_CHANGE,
    )


def require_parts(folder: Path, labels: Sequence[str]) -> None:
    """Refuse a folder of parts that no check could use; no image is decoded.

    Args:
        labels: the model's; none where they are not known.

    Raises:
        InputError: it is no folder, has no images, or one of these has no folder that says what is
            right.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder of images", hint="pass a folder of parts")
    layout, truths = find_with_truth(folder)
    for path, truth in zip(layout.paths, truths, strict=True):
        if labels and truth not in labels and truth not in (GOOD, BAD):
            name = path.relative_to(layout.root).as_posix()
            raise InputError(
                f"{folder}: {name} is in no folder named for a label, or good or bad",
                hint=f"sort the images into folders: {', '.join((GOOD, BAD, *labels))}",
            )


def check_parts(
    answerer: Answerer, folder: Path, labels: Sequence[str], allowed_wrong: int
) -> PartsCheck:
    """Judge the site's own parts: in a folder for each label, or in `good` and `bad`.

    Args:
        labels: the model's.
        allowed_wrong: how many answers may be wrong.

    Raises:
        InputError: there are no images, or one has no folder that says what is right.
    """
    images = right = passed = 0
    wrong: list[WrongPart] = []
    require_parts(folder, labels)
    with FolderCamera(folder) as camera:
        while (frame := camera.read()) is not None:
            expected = frame.truth
            images += 1
            decision = Decision(Status.FAULT, reason=frame.fault)
            if frame.pixels is not None:
                decision = answerer.answer(frame.pixels, frame.bits)
            if _is_right(decision, expected, labels):
                right += 1
                continue
            passed += decision.status is Status.PASS
            if len(wrong) < WRONG_KEPT:
                wrong.append(
                    WrongPart(
                        name=frame.name.encode("utf-8", "replace").decode(),
                        expected=expected,
                        status=decision.status.value,
                        label=decision.label,
                        confidence=round(decision.confidence, 6),
                        reason=decision.reason,
                    )
                )
    return PartsCheck(
        folder=str(folder),
        images=images,
        right=right,
        allowed_wrong=allowed_wrong,
        passed=passed,
        wrong=tuple(wrong),
    )


def check_scene(
    images: Sequence[NDArray[np.uint8]], limits: SceneLimits, camera: str
) -> SceneCheck:
    """Hold light and focus of frames against limits.

    Args:
        images: uint8, H×W, as the model sees them.

    Raises:
        FrameError: there are none.
    """
    if not images:
        raise FrameError(f"{camera} gave no frame to look at")
    return SceneCheck(
        camera=camera,
        frames=len(images),
        against=limits.against,
        brightness=round(float(np.mean([level(image) for image in images])), 6),
        least_brightness=round(limits.least_brightness, 6),
        most_brightness=round(limits.most_brightness, 6),
        focus=round(float(np.mean([sharpness(image) for image in images])), 6),
        least_focus=round(limits.least_focus, 6),
    )


def failures_of(
    golden: GoldenCheck | None, parts: PartsCheck | None, cameras: Sequence[SceneCheck]
) -> list[str]:
    """Return what is not as it should be, in words."""
    found = []
    if golden is not None and golden.wrong:
        found.append(
            f"{golden.wrong} of {counted(golden.images, 'golden image')} "
            f"{noun(golden.wrong, 'differs', 'differ')} from the export"
        )
    wrong = 0 if parts is None else parts.images - parts.right
    if parts is not None and wrong > parts.allowed_wrong:
        found.append(
            f"{wrong} of {counted(parts.images, 'part')} {noun(wrong, 'is', 'are')} "
            f"answered wrongly ({parts.allowed_wrong} allowed), and {parts.passed} of them "
            f"{noun(parts.passed, 'passes', 'pass')}"
        )
    for scene in cameras:
        if not scene.least_brightness <= scene.brightness <= scene.most_brightness:
            found.append(
                f"{scene.camera}: brightness is {scene.brightness:.1%}, and has to be "
                f"{scene.least_brightness:.1%} to {scene.most_brightness:.1%}"
            )
        if scene.focus < scene.least_focus:
            found.append(
                f"{scene.camera}: focus is {scene.focus:.3f}, and has to be at least "
                f"{scene.least_focus:.3f}"
            )
    return found


def _is_right(decision: Decision, expected: str, labels: Sequence[str]) -> bool:
    if decision.status is Status.FAULT:
        return False
    if expected in labels:
        answered = decision.status in (Status.PASS, Status.REJECT)
        return answered and decision.label == expected
    return (decision.status is Status.PASS) == (expected == GOOD)
