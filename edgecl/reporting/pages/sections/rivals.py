"""Rivals of a trained network, for its page: the same test images, answered by others."""

from __future__ import annotations

from dataclasses import dataclass

from edgecl.learning.documents import RunResult

FEW = 50
"""Test images below which one of them is so many points that the reader must know."""


@dataclass(frozen=True)
class Rival:
    """One row of the table.

    Args:
        name: of what answered.
        accuracy: on the test part, 0 to 1.
        own: True for the network that the run ships.
        remark: more about it; empty for nothing.
    """

    name: str
    accuracy: float
    own: bool = False
    remark: str = ""


def rivals_of(result: RunResult) -> list[Rival]:
    """Return the run's network and what it is compared with; none where it stands alone."""
    found = []
    if result.texture_baseline is not None:
        found.append(
            Rival(
                "texture descriptor with LDA",
                result.texture_baseline,
                remark="features without learning",
            )
        )
    if result.probe is not None:
        found.append(
            Rival("frozen encoder with logistic regression", result.probe, remark="not fine-tuned")
        )
    told = result.self_training
    if told is not None and told.teacher_accuracy is not None:
        found.append(Rival("teacher", told.teacher_accuracy, remark=told.teacher))
    if told is not None and told.student is not None:
        if told.shipped == "student":
            found.append(Rival("network before self-training", told.before))
        else:
            found.append(Rival("student", told.student, remark="worse on the validation part"))
    if not found:
        return []
    return [Rival("this network", result.accuracy, own=True), *found]


def rivals_text(result: RunResult) -> str:
    """Return what the table says, in a sentence or two."""
    sentences = []
    baseline, told = result.texture_baseline, result.self_training
    if baseline is not None:
        sentences.append(
            "The network beats a descriptor of texture that needs no training."
            if result.accuracy > baseline
            else "A descriptor of texture that needs no training does at least as well: "
            f"{_what_may_help(result)}."
        )
    if told is not None and told.refused:
        sentences.append(f"Self-training was refused: {told.refused}.")
    if told is not None and told.student is not None and told.teacher_accuracy is not None:
        beaten = told.student > told.teacher_accuracy
        sentences.append(
            f"The teacher labelled {told.unlabelled} images; its student "
            + ("beats it." if beaten else "does not beat it, and only made it smaller.")
        )
    tested = result.counts.get("test", 0)
    if sentences and 0 < tested < FEW:
        sentences.append(f"Of {tested} test images, one is {100 / tested:.0f} points.")
    return " ".join(sentences)


def _what_may_help(result: RunResult) -> str:
    if result.self_training is not None:
        return "more labels may help"
    return "more labels, or self-training on images without a label, may help"
