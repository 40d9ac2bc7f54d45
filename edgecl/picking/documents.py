"""Summary of what was picked, as `edgecl pick --json` prints it."""

from __future__ import annotations

from typing import ClassVar, Literal

from runtime.files.document import Document, Part

TYPICAL, DOUBTFUL = "typical", "doubtful"
"""Ways of picking: the typical images of uncovered clusters, or those that a model doubts."""


class PickedImage(Part, frozen=True, kw_only=True):
    """Image to be labelled.

    Args:
        rank: of priority, from 1.
        file: path of the image.
        copy: its name in the folder that was written.
        reason: why it was picked, in words.
        cluster: number of its cluster, from 0.
        typicality: inverse of the mean distance to its neighbours there; 0 for an image alone.
        margin: between the two most probable classes, 0 to 1; None where no model was asked.
    """

    rank: int
    file: str
    copy: str
    reason: str
    cluster: int
    typicality: float
    margin: float | None = None


class PickSummary(Document, frozen=True, kw_only=True):
    """Images that were picked to be labelled.

    Args:
        way: `typical` or `doubtful`.
        rule: why this way, in words.
        images: that could be picked from.
        labelled: images that were labelled already.
        classes: of these, where their folders name any.
        clusters: into which all were divided.
        copies: images passed over, because they equal or nearly equal a labelled or picked one.
        model: the one whose margins are meant; empty where none was asked.
        seconds: that it took.
        out: the folder that was written.
    """

    WHAT: ClassVar[str] = "the summary of a pick"
    REMEDY: ClassVar[str] = "run 'edgecl pick --json' again"
    UNNUMBERED: ClassVar[bool] = True

    schema: Literal[1] = 1
    picked: tuple[PickedImage, ...]
    asked: int
    way: str
    rule: str
    images: int
    labelled: int
    classes: int
    clusters: int
    copies: int
    model: str = ""
    notes: tuple[str, ...] = ()
    seed: int
    seconds: float
    out: str
