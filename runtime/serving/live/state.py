"""State of a line as the live page shows it, and the messages that carry it."""

from __future__ import annotations

from runtime.files.document import Part
from runtime.stream.sinks.accounts import SinkAccount, VerdictFile
from runtime.stream.verdict import WorstTile

MOST_REJECTS = 12
"""Frames that did not pass, of each camera, that the page shows."""

COURSE = 120
"""Latest verdicts of each camera that the page shows as a band."""

LETTERS = {"pass": "p", "reject": "r", "unsure": "u", "unknown": "n", "late": "l", "fault": "f"}
"""Letter of each status in a course; an unknown frame's is `n`."""


class Seen(Part, frozen=True, kw_only=True):
    """A judged frame.

    Args:
        captured_at: by the wall clock, ISO 8601 with `Z`.
        age_s: seconds since its capture.
        label, confidence, reason, distance, late, answer: see `Decision`; None where there is
            none.
        total_ms: from its capture to the verdict.
        size: (width, height) in pixels; None where there was no image.
        worst_tile: in pixels of the frame.
        image: whether the page can show the image.
        heat_map: whether it can show the image under its heat map.
    """

    frame: int
    status: str
    captured_at: str
    age_s: float
    label: str | None
    confidence: float | None
    reason: str
    distance: float | None
    late: bool
    answer: str | None
    total_ms: float
    size: tuple[int, int] | None
    worst_tile: WorstTile | None = None
    image: bool = False
    heat_map: bool = False


class StepState(Part, frozen=True, kw_only=True):
    """A step's times, in milliseconds; `limit_ms` is None without a budget."""

    step: str
    last_ms: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    limit_ms: float | None
    over: int


class DriftState(Part, frozen=True, kw_only=True):
    """Frames far from the training images.

    Args:
        far: of the last `counted` ones.
        window: how many are counted together.
        alarm_from: `far` that is an alarm.
    """

    far: int
    counted: int
    window: int
    alarm_from: int


class ShadowState(Part, frozen=True, kw_only=True):
    """A second model beside the first.

    Args:
        answered: frames that both answered.
        disagreed: of these, frames with another status or label.
        dropped: frames that it had no time for.
        problem: why the last frame failed; empty where none did.
    """

    model: str
    answered: int
    disagreed: int
    dropped: int
    problem: str


class CameraState(Part, frozen=True, kw_only=True):
    """A camera and the stream of its frames.

    Args:
        name: of one among several; empty for the only one.
        source: what was opened, in words.
        recipe, bundle: id and bundle of the recipe that judges; empty without recipes.
        shadow: None where no second model judges beside.
        state: `waiting` for the first frame, `running`, `lost`, `ended` or `failed`.
        problem: why it failed; empty otherwise.
        losses, seconds_lost: outages so far.
        fps: verdicts per second, since the start.
        course: a letter of `LETTERS` per verdict, the newest last.
        newest: the frame that was judged last; None before the first.
        noticed: the newest frame that did not pass.
        rejects: the newest frames with an image that did not pass, the newest first.
        health: counts by fault that is looked for.
        faults_of_frames: names in `health` that give a frame the verdict `fault`.
        health_notes: each fault of the stream in words.
    """

    name: str
    source: str
    state: str
    problem: str
    losses: int
    seconds_lost: float
    seconds: float
    fps: float
    captured: int
    judged: int
    dropped: int
    faulty: int
    misses: int
    late: int
    held_back: int
    statuses: dict[str, int]
    known: int
    right: int
    steps: tuple[StepState, ...]
    course: str
    newest: Seen | None
    noticed: Seen | None
    rejects: tuple[Seen, ...]
    health: dict[str, int]
    faults_of_frames: tuple[str, ...]
    health_notes: tuple[str, ...]
    drift: DriftState | None
    verdicts: VerdictFile
    heat_maps_problem: str | None = None
    recipe: str = ""
    bundle: str = ""
    shadow: ShadowState | None = None


class LineState(Part, frozen=True, kw_only=True):
    """A whole line.

    Args:
        started: by the wall clock, ISO 8601; tells one stream from the next.
        lot: as the user named it; empty without a name.
        sinks: where verdicts go beside each camera's file.
        parts: verdicts on parts by status, where cameras see them together.
        ended: whether all streams have ended.
    """

    title: str
    model: str
    lot: str
    started: str
    cameras: tuple[CameraState, ...]
    sinks: tuple[SinkAccount, ...]
    parts: dict[str, int] | None
    ended: bool


class Ask(Part, frozen=True, kw_only=True):
    """Question of the serving process: how is the line?

    Args:
        held: numbers of the frames whose images it has, by camera.
        looking: whether somebody looks. The last question where nobody does any more has no answer.
    """

    held: dict[str, list[int]]
    looking: bool = True


class Sent(Part, frozen=True, kw_only=True):
    """Pixels of a frame, which follow the answer.

    Args:
        shape: H×W or H×W×C.
        bits: how many of 16 are used; None for all of 8, or where nothing tells.
    """

    camera: str
    frame: int
    shape: tuple[int, ...]
    dtype: str
    bits: int | None


class Told(Part, frozen=True, kw_only=True):
    """Answer: the state, the images that were not held, and files of heat maps by camera."""

    state: LineState
    images: tuple[Sent, ...]
    heat_maps: dict[str, dict[int, str]]
