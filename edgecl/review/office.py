"""Office of a review: decisions of all reviewers are checked, kept, and told to the others."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone

from edgecl.review.decisions.journal import ReviewJournal
from edgecl.review.decisions.labels import check_label, check_reviewer, in_order, keys_of_labels
from edgecl.review.decisions.standing import DONT_KNOW, LABEL, UNDO, DecisionLine, agreed_label
from edgecl.review.desk import Desk, DeskImage
from edgecl.review.state import NearImage, ReviewNews, ReviewState, SentDecision, ShownImage
from runtime.errors import InputError

LOOKING_S = 20.0
"""Time after which a reviewer who is not heard of looks at nothing any more, in seconds."""

MOST_LOOKING = 64
"""Reviewers whose image is remembered."""

_ID = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII)


class ReviewOffice:
    """Takes decisions and answers questions. May be called from several threads.

    Args:
        desk: the images.
        journal: open.
        clock: monotonic seconds.
    """

    def __init__(
        self, desk: Desk, journal: ReviewJournal, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.desk = desk
        self._journal = journal
        self._clock = clock
        self._images = {entry.digest: entry for entry in desk.images}
        self._lock = threading.Lock()
        self._looking: dict[str, tuple[str, float]] = {}

    @property
    def labels(self) -> tuple[str, ...]:
        """Return all labels, those that reviewers added last."""
        return in_order((self.desk.labels, list(self._journal.standing.labels)))

    def image(self, digest: str) -> DeskImage | None:
        """Return an image under review; None where there is no such."""
        return self._images.get(digest)

    def state(self) -> ReviewState:
        """Return everything."""
        standing, labels = self._journal.standing, self.labels
        return ReviewState(
            title=self.desk.folder.resolve().name,
            place=hashlib.sha256(os.fsencode(self.desk.folder.resolve())).hexdigest()[:16],
            version=len(standing.changed),
            images=tuple(_shown(entry, standing.of(entry.digest)) for entry in self.desk.images),
            labels=labels,
            keys=keys_of_labels(labels),
            near=self.desk.embeddings is not None,
        )

    def news(self, since: int, reviewer: str, looks_at: str) -> ReviewNews:
        """Return what changed since a version, and note what a reviewer looks at."""
        now, standing, labels = self._clock(), self._journal.standing, self.labels
        with self._lock:
            if reviewer and looks_at in self._images:
                self._looking.pop(reviewer, None)
                self._looking[reviewer] = looks_at, now
            while len(self._looking) > MOST_LOOKING:
                del self._looking[next(iter(self._looking))]
            others = {
                name: image
                for name, (image, seen) in self._looking.items()
                if name != reviewer and now - seen < LOOKING_S
            }
        version = len(standing.changed)
        changed = set(standing.changed[max(0, since) : version]) & set(self._images)
        return ReviewNews(
            version=version,
            changed={image: standing.of(image) for image in changed},
            others=others,
            labels=labels,
            keys=keys_of_labels(labels),
        )

    def decide(self, sent: SentDecision) -> ReviewNews:
        """Keep a decision; what is returned is on the disk.

        Raises:
            InputError: it is none that can be kept.
            EquipmentError: the disk does not take it.
        """
        reviewer = check_reviewer(sent.reviewer)
        entry = self._images.get(sent.image)
        if entry is None:
            raise InputError("this image is not under review", hint="load the page again")
        if not _ID.fullmatch(sent.id):
            raise InputError("the decision has no proper id", hint="load the page again")
        if sent.choice not in (LABEL, DONT_KNOW, UNDO):
            raise InputError(f"{sent.choice!r} cannot be decided", hint="load the page again")
        label = check_label(sent.label) if sent.choice == LABEL else ""
        line = DecisionLine(
            id=sent.id,
            at=datetime.now(timezone.utc).isoformat(timespec="milliseconds")[:-6] + "Z",
            reviewer=reviewer,
            image=sent.image,
            file=entry.image.file.encode("utf-8", "replace").decode(),
            choice=sent.choice,  # type: ignore[arg-type]
            label=label,
        )
        before = len(self._journal.standing.changed)
        self._journal.add(line)
        return self.news(before, reviewer, "")

    def latest(self, reviewer: str) -> str:
        """Return the image that a reviewer decided last; empty where there is none."""
        found = self._journal.standing.latest(reviewer)
        return found if found in self._images else ""

    def near(self, digest: str) -> list[NearImage]:
        """Return the labelled images nearest to one: earlier ones, and those agreed on here."""
        index = self.desk.embeddings
        if index is None:
            return []
        standing, known = self._journal.standing, self.desk.labelled
        labels = {name: image.label for name, image in known.items()}
        for name in self._images:
            label = agreed_label(standing.of(name))
            if label is not None:
                labels.setdefault(name, label)
        return [
            NearImage(
                id=found.digest,
                label=found.label,
                similarity=found.similarity,
                source="labelled" if found.digest in known else "review",
            )
            for found in index.nearest(digest, labels)
        ]


def _shown(entry: DeskImage, decisions: dict[str, str | None]) -> ShownImage:
    record = entry.image.record
    verdict = None if record is None else record.verdict
    return ShownImage(
        id=entry.digest,
        file=entry.image.file.encode("utf-8", "replace").decode(),
        status=None if verdict is None else verdict.status or None,
        label=None if verdict is None else verdict.label,
        confidence=None if verdict is None else verdict.confidence,
        reason="" if verdict is None else verdict.reason,
        answer=None if entry.answer is None else dict(entry.answer),
        when="" if verdict is None else verdict.captured_at,
        camera="" if verdict is None else verdict.camera,
        policy="" if record is None else record.policy,
        heat_map=entry.image.under_heat_map,
        decisions=decisions,
    )
