"""The sink of images: it looks at each frame behind its verdict, and keeps some."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

from runtime.camera.base import Frame
from runtime.errors import InputError
from runtime.files.document import to_text
from runtime.image.encode import jpeg_of, png_of
from runtime.progress import Say
from runtime.stream.sinks.background import BackgroundWriter
from runtime.stream.sinks.base import LineControls, Sink, SinkRequest, StreamFacts
from runtime.stream.sinks.images.choice import SINK, ImagesChoice, parse_images
from runtime.stream.sinks.images.folder import RESERVE, ImagesFolder, stem_of
from runtime.stream.sinks.images.policies import SAMPLE, ImagePolicies
from runtime.stream.sinks.images.record import ImageRecord
from runtime.stream.sinks.remote.messages import verdict_id, writable
from runtime.stream.verdict import Verdict

LOG = logging.getLogger("edgecl.sinks")

WAITING = 32
"""Images that may wait to be written, beside those of an event."""

HELD = 64 * 2**20
"""Bytes of pixels that may wait to be written, and that each camera's last frames may hold."""

BEFORE, AFTER = "before", "after"
_QUALITY = 95


@dataclass(frozen=True, slots=True)
class _Image:
    """A frame with its verdict, and why it is kept."""

    frame: Frame
    verdict: Verdict
    probabilities: Sequence[float]
    policy: str = ""
    event: str = ""

    @property
    def size(self) -> int:
        """Bytes of its pixels."""
        return 0 if self.frame.pixels is None else self.frame.pixels.nbytes


@dataclass(slots=True)
class _Around:
    """The frames around a camera's events.

    Args:
        last: frames that no policy kept, the newest last.
        held: bytes of these.
        left: frames that are still kept after the event.
        event: id of that event's verdict.
    """

    last: deque[_Image] = field(default_factory=deque)
    held: int = 0
    left: int = 0
    event: str = ""


class ImagesSink(Sink):
    """Keeps images of rejects, of doubtful frames, and a sample of those that pass.

    `observe` decides and returns; images are encoded and written in a thread of their own. Where
    more come than it can write, the oldest that wait are left out and counted as lost.

    Args:
        folder: where; the sink's to close.
        choice: which frames.
        facts: of the stream.
        labels: the model's class names.
        report: is told, in one line, when images cannot be written and when they can again.

    Raises:
        InputError: the choice names a label that no model of the stream has.
    """

    name = SINK
    isolated = True
    takes_frames = True

    def __init__(
        self,
        folder: ImagesFolder,
        choice: ImagesChoice,
        facts: StreamFacts,
        labels: Sequence[str],
        *,
        report: Say = lambda text: None,
    ) -> None:
        known = tuple(dict.fromkeys((*labels, *facts.other_labels)))
        for label, _ in choice.labels:
            if label not in known:
                told = "no recipe has a" if facts.other_labels else "the model has no"
                raise InputError(
                    f"--sink {SINK}: {told} label {label!r}", hint=f"choose from {', '.join(known)}"
                )
        self._folder = folder
        self._choice = choice
        self._facts = facts
        self._labels = tuple(labels)
        self._policies = ImagePolicies(choice, facts.rules)
        self._around: dict[str, _Around] = {}
        self._observing = threading.Lock()
        self._refused = 0
        self._writer = BackgroundWriter(
            SINK,
            self._write,
            most=WAITING + 2 * (choice.before + 1 + choice.after),
            weigh=lambda image: image.size,
            heaviest=HELD,
            idle=folder.expire,
            report=report,
        )

    @property
    def lost(self) -> int:  # type: ignore[override]
        """Images that were to be kept and are not."""
        return self._writer.left_out + self._writer.failed + self._refused

    @property
    def problem(self) -> str:  # type: ignore[override]
        """The last thing that went wrong."""
        if self._writer.problem or not self._writer.left_out:
            return self._writer.problem
        return "images came faster than they could be written"

    @property
    def counts(self) -> Mapping[str, int]:  # type: ignore[override]
        """Images of this stream, and what the folder holds."""
        return {
            "written": self._writer.written,
            "left_out": self._writer.left_out,
            "failed": self._writer.failed + self._refused,
            "cooled": self._policies.cooled,
            "kept": len(self._folder.kept),
            "kept_bytes": self._folder.kept.size,
            "removed": self._folder.kept.removed,
        }

    def attach(self, controls: LineControls) -> None:
        """Learn by which rules each recipe judges."""
        self._policies.rules_of = controls.rules

    def emit(self, verdict: Verdict) -> None:
        """Do nothing: `observe` has the frame, too."""

    def observe(self, frame: Frame, verdict: Verdict) -> None:
        """Decide whether the image of a frame is kept. Returns at once and never raises."""
        if frame.pixels is None:
            return
        try:
            with self._observing:
                self._look(frame, verdict)
        except Exception:  # no fault here may end a stream
            LOG.exception("sink %s", self.name)
            self._refused += 1

    def close(self) -> None:
        """Write what waits, as long as that gets on. Closing twice is fine."""
        self._writer.close()
        self._folder.close()

    def _look(self, frame: Frame, verdict: Verdict) -> None:
        choice = self._choice
        around = self._around.setdefault(verdict.camera, _Around())
        policy = self._policies.of(verdict)
        if not policy and not around.left and not choice.before:
            return
        given = verdict.decision.probabilities
        # Copied: an engine may use the memory for the next frame.
        image = _Image(frame, verdict, () if given is None else given.tolist(), policy)
        if policy == SAMPLE:
            self._writer.put(image)
        elif policy:
            event = verdict_id(verdict, self._facts)
            for earlier in around.last:
                self._writer.put(replace(earlier, policy=BEFORE, event=event))
            around.last.clear()
            around.held, around.left, around.event = 0, choice.after, event
            self._writer.put(image)
        elif around.left:
            around.left -= 1
            self._writer.put(replace(image, policy=AFTER, event=around.event))
        else:
            around.last.append(image)
            around.held += image.size
            while len(around.last) > choice.before or around.held > HELD:
                around.held -= around.last.popleft().size

    def _write(self, image: _Image) -> None:
        frame, verdict = image.frame, image.verdict
        assert frame.pixels is not None
        is_jpeg = self._choice.format == "jpg" and frame.pixels.dtype.itemsize == 1
        data = jpeg_of(frame.pixels, _QUALITY) if is_jpeg else png_of(frame.pixels)
        suffix = ".jpg" if is_jpeg else ".png"
        taken = datetime.fromtimestamp(verdict.wall_ns / 1e9, timezone.utc)
        source = f"{verdict.camera}-" if verdict.camera else ""
        ending = f"{self._facts.run[-8:]}-{source}{verdict.number:08d}"
        labels = verdict.labels or self._labels
        record = ImageRecord(
            id=verdict_id(verdict, self._facts),
            file=f"{stem_of(taken, ending)}{suffix}",
            policy=image.policy,
            event=image.event,
            probabilities={
                label: round(share, 6)
                for label, share in zip(labels, image.probabilities, strict=False)
            },
            bits=frame.bits,
            bundle=writable(verdict.bundle or self._facts.bundle),
            digest=verdict.digest or self._facts.digest,
            lot=writable(self._facts.lot),
            verdict=verdict.line(),
        )
        self._folder.write(taken, ending, suffix, data, f"{to_text(record)}\n".encode())


def open_images(request: SinkRequest) -> Sink:
    """Open the sink of `--sink images:FOLDER?…`.

    Raises:
        InputError: the choice is none, or the folder cannot be used.
    """
    choice = parse_images(request.target)
    path = request.folder / choice.folder
    if path.resolve() in [(request.folder / name).resolve() for name in ("", *request.taken)]:
        raise InputError(
            f"--sink {SINK}: the stream itself writes {path}", hint="choose another folder"
        )
    folder = ImagesFolder(path, choice.most, choice.limit, choice.days, reserve=RESERVE)
    try:
        folder.look()
        return ImagesSink(folder, choice, request.stream, request.labels, report=request.report)
    except BaseException:
        folder.close()
        raise
