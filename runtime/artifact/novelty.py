"""Record of unknown images in a manifest: limits, and how often they speak."""

from __future__ import annotations

from runtime.files.document import Part
from runtime.statistics import Interval


class FormNovelty(Part, frozen=True, kw_only=True):
    """The limit of one form of the model, and the test part beside it.

    Args:
        limit: distance from the training images above which an image is unknown.
        test_images: looked at afterwards.
        test_unknown: of them, called unknown.
        test_share: their share, with its 95 % interval in `test_interval`.
        test_wrong: answers on the test part that are wrong.
        test_wrong_unknown: of them, on images called unknown.
    """

    limit: float
    test_images: int
    test_unknown: int
    test_share: float
    test_interval: Interval
    test_wrong: int
    test_wrong_unknown: int


class NoveltyRecord(Part, frozen=True, kw_only=True):
    """Limits beyond which an image is unknown; see `runtime.novelty`.

    Args:
        asked_rate: of false alarms, 0 to 1.
        rate: the same, or the least one that so many validation images support.
        train_images: whose embeddings distances are measured from.
        images: of the validation part, which set the limits.
        forms: by artefact.
    """

    asked_rate: float
    rate: float
    train_images: int
    images: int
    forms: dict[str, FormNovelty]

    def describe(self) -> str:
        """Return it in words, with the form that calls most images unknown."""
        name, form = max(self.forms.items(), key=lambda item: item[1].test_unknown)
        low, high = form.test_interval
        limits = ", ".join(f"{name} {each.limit:.3g}" for name, each in self.forms.items())
        wrong = (
            f", {form.test_wrong_unknown} of its {form.test_wrong} wrong answers among them"
            if form.test_wrong
            else ""
        )
        return (
            f"unknown above a distance of {limits}: at most {self.rate:.1%} of images like the "
            f"{self.images} validation images; {form.test_unknown} of {form.test_images} test "
            f"images ({form.test_share:.1%}, 95 %: {low:.1%} to {high:.1%}, {name}){wrong}"
        )
