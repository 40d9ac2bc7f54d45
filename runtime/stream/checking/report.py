"""Documents of a check: what was found, and a recorded reference of light and focus."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from runtime.artifact.scene import SceneRecord
from runtime.files.document import Document, Part, read_document


class GoldenCheck(Part, frozen=True, kw_only=True):
    """The bundle's golden images, answered again here.

    Args:
        images: how many.
        wrong: of which a probability changed by more than `allowed_change`.
        largest_change: of a probability; None where an answer was no number.
    """

    images: int
    wrong: int
    largest_change: float | None
    allowed_change: float


class WrongPart(Part, frozen=True, kw_only=True):
    """An image of the site's own parts that got another answer than its folder says.

    Args:
        name: of the file.
        expected: the folder: a label, `good` or `bad`.
        status, label, confidence: the answer.
        reason: of a fault, or of `unknown`.
    """

    name: str
    expected: str
    status: str
    label: str
    confidence: float
    reason: str = ""


class PartsCheck(Part, frozen=True, kw_only=True):
    """The site's own parts.

    Args:
        folder: where their images are.
        images: how many.
        right: of which the answer is what the folder says.
        allowed_wrong: how many may not be.
        passed: of them, those that should not have passed and did.
        wrong: the first of them, 50 at most.
    """

    folder: str
    images: int
    right: int
    allowed_wrong: int
    passed: int
    wrong: tuple[WrongPart, ...]


class SceneCheck(Part, frozen=True, kw_only=True):
    """Light and focus of a camera's frames now, against those recorded.

    Args:
        camera: its name.
        frames: how many were looked at.
        against: `bundle`, or the file of a recorded reference.
        brightness: mean of the frames, as a share of white.
        least_brightness, most_brightness: between which it has to be.
        focus: mean sharpness of the frames.
        least_focus: that it has to have.
    """

    camera: str
    frames: int
    against: str
    brightness: float
    least_brightness: float
    most_brightness: float
    focus: float
    least_focus: float


class CheckReport(Document, frozen=True, kw_only=True):
    """Report of a check.

    Args:
        passed: whether all that was looked at is as it should be.
        failures: what is not, in words.
        notes: what could not be looked at, and why.
        made_at: ISO 8601 with `Z`.
        seconds: how long it took.
        model: path of the bundle.
        recipe: of the stream that was checked; empty outside one, or where it has none.
        digest: of the bundle's manifest.
        precision, engine: of the session that answered.
        golden: None where the bundle has no golden images.
        parts: None where no folder of parts was named.
        cameras: none where no camera was named.
    """

    WHAT: ClassVar[str] = "the report of a check"
    REMEDY: ClassVar[str] = "make one with 'edgecl check --json'"

    schema: Literal[1] = 1
    passed: bool
    failures: tuple[str, ...]
    notes: tuple[str, ...]
    made_at: str
    seconds: float
    model: str
    recipe: str = ""
    digest: str
    precision: str
    engine: str
    golden: GoldenCheck | None
    parts: PartsCheck | None
    cameras: tuple[SceneCheck, ...]


class SceneReference(Document, frozen=True, kw_only=True):
    """Light and focus of a camera while the line was good, as `edgecl check --record` wrote them.

    Args:
        recorded_at: ISO 8601 with `Z`.
        camera: its name.
        digest: of the bundle whose view the frames were looked at with: its region and size.
        scene: of the frames.
    """

    WHAT: ClassVar[str] = "a recorded reference"
    REMEDY: ClassVar[str] = "record one with 'edgecl check --record FILE --camera SOURCE'"

    schema: Literal[1] = 1
    recorded_at: str
    camera: str
    digest: str
    scene: SceneRecord


def read_reference(path: Path) -> SceneReference:
    """Read a recorded reference.

    Raises:
        InputError: it cannot be read, or is none.
    """
    return read_document(path, SceneReference)
