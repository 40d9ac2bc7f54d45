"""State of a review as the page has it: images, standing decisions, and news of them."""

from __future__ import annotations

from runtime.files.document import Part


class ShownImage(Part, frozen=True, kw_only=True):
    """An image in the page's list.

    Args:
        id: SHA-256 of the file.
        status, label, confidence, reason: of the line's verdict; None where nothing tells.
        answer: probabilities by label of the bundle beside the page; None without one.
        when, camera, policy: of the line's record; empty where nothing tells.
        heat_map: whether colours lie over it.
        decisions: by reviewer; None for one who does not know.
    """

    id: str
    file: str
    status: str | None
    label: str | None
    confidence: float | None
    reason: str
    answer: dict[str, float] | None
    when: str
    camera: str
    policy: str
    heat_map: bool
    decisions: dict[str, str | None]


class ReviewState(Part, frozen=True, kw_only=True):
    """First answer to the page.

    Args:
        place: tells one folder from another, so that a browser sends nothing to the wrong one.
        labels: offered, in the order of their keys.
        keys: by label; empty for one without.
        near: whether labelled images can be shown beside an image.
        version: of the decisions.
    """

    title: str
    place: str
    images: tuple[ShownImage, ...]
    labels: tuple[str, ...]
    keys: dict[str, str]
    near: bool
    version: int


class ReviewNews(Part, frozen=True, kw_only=True):
    """Changes since a version.

    Args:
        changed: decisions by image.
        others: what other reviewers look at, by name.
    """

    version: int
    changed: dict[str, dict[str, str | None]]
    others: dict[str, str]
    labels: tuple[str, ...]
    keys: dict[str, str]


class NearImage(Part, frozen=True, kw_only=True):
    """A labelled image near to the one under review.

    Args:
        source: `labelled`, or `review` for one that reviewers agreed on.
    """

    id: str
    label: str
    similarity: float
    source: str


class SentDecision(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Decision as the page sends it; see `DecisionLine`."""

    id: str
    reviewer: str
    image: str
    choice: str
    label: str = ""
