"""Findings of a run beside its accuracy: parts of result.json."""

from __future__ import annotations

from typing import Literal

from runtime.files.document import Part

ShiftedImages = Literal["images at the model's size", "images at the tiles' scale"]


class ShiftFacts(Part, frozen=True, kw_only=True):
    """Answers to images as a drifted camera would take them.

    Args:
        name: of the shift, with its amount and unit; see `edgecl.data.camera_shifts.SHIFTS`.
        kind: of the shift.
        amount: in the kind's unit.
        accuracy: share of right answers, 0 to 1.
        escapes: share of the defects that are called a pass label; None where no label is known to
            let a part pass, or no image shows a defect.
    """

    name: str
    kind: str
    amount: float
    accuracy: float
    escapes: float | None


class ShiftReport(Part, frozen=True, kw_only=True):
    """Test images as a drifting camera would take them, beside the images as they are.

    Args:
        images: how many were asked for; all of the test part, or a draw from it.
        of: images in the test part.
        shifted: what was shifted: pixels of blur are pixels of these.
        accuracy, escapes: for the same images without a shift; as in `ShiftFacts`.
        shifts: in a fixed order.
    """

    images: int
    of: int
    shifted: ShiftedImages
    accuracy: float
    escapes: float | None
    shifts: tuple[ShiftFacts, ...]

    @property
    def worst(self) -> ShiftFacts:
        """The shift with the lowest accuracy; of equal ones that with the most escapes."""
        return min(self.shifts, key=lambda shift: (shift.accuracy, -(shift.escapes or 0.0)))


class SuspectFacts(Part, frozen=True, kw_only=True):
    """Labels that are probably wrong, counted; the folder `suspects` has the images.

    Args:
        examined: images of the train and the validation part whose label was compared.
        found: how many are suspected.
        listed: how many of them the folder has, the surest first.
    """

    examined: int
    found: int
    listed: int


class BalanceFacts(Part, frozen=True, kw_only=True):
    """Sizes of the classes in fine-tuning, which a frozen encoder does without.

    Args:
        balanced: whether an epoch showed all classes equally often.
        ratio: labelled train images of the largest class to those of the smallest.
        images: labelled train images by label.
    """

    balanced: bool
    ratio: float
    images: dict[str, int]
