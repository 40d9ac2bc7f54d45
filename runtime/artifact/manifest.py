"""manifest.json: what a bundle holds, and what was measured before it shipped."""

from __future__ import annotations

from typing import ClassVar, Literal

from runtime.artifact.novelty import NoveltyRecord
from runtime.artifact.scene import SceneRecord
from runtime.files.document import Document, Part
from runtime.statistics import Interval

MANIFEST_SCHEMA = 1


class Precision(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One shipped precision and what was measured of it before it shipped.

    Args:
        file: its ONNX file's name inside the bundle.
        accuracy: share of right answers on the validation part, 0 to 1.
        test_accuracy: the same on the test part, looked at after the gate had decided.
        max_abs_diff: largest difference of a probability from the torch model's.
        agreement: share of images with the torch model's label, 0 to 1.
        bytes: the file's size.
    """

    file: str
    accuracy: float
    test_accuracy: float | None
    max_abs_diff: float
    agreement: float
    bytes: int


class FileEntry(Part, frozen=True, kw_only=True):
    """A file of the bundle: its SHA-256 in hexadecimal, and its size."""

    sha256: str
    bytes: int


class TilingRecord(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Cut of images into tiles; see `runtime.artifact.tiling.Tiling`."""

    stride: tuple[int, int]
    scale: float
    combine: str
    sharpness: float = 1.0


class RoiRecord(Part, frozen=True, kw_only=True):
    """Region of interest in pixels of the frame; see `runtime.artifact.roi.Roi`."""

    left: int
    top: int
    width: int
    height: int


class InputRecord(Part, frozen=True, kw_only=True):
    """Input of the network; see `runtime.artifact.contract.InputContract`."""

    height: int
    width: int
    interpolation: str
    bits: int | None = None
    tiling: TilingRecord | None = None
    roi: RoiRecord | None = None
    flat: str | None = None
    channels: int = 1
    dtype: str = "uint8"
    layout: str = "NCHW"


class ContractRecord(Part, frozen=True, kw_only=True):
    """Labels and input; see `runtime.artifact.contract.ModelContract`."""

    schema: int
    input: InputRecord
    labels: tuple[str, ...]
    pass_labels: tuple[str, ...] = ()


class ClassCounts(Part, frozen=True, kw_only=True):
    """Recall of a class, before and after, in images; see `export.gate.comparison`."""

    label: str
    images: int
    reference: int
    candidate: int
    lost: int
    escapes: int = 0


class EscapeRecord(Part, frozen=True, kw_only=True):
    """A defect that the trained model caught and the artefact does not."""

    row: int
    label: str
    reference: str
    reference_confidence: float
    answer: str
    confidence: float | None


class Measured(Part, frozen=True, kw_only=True):
    """An artefact beside the trained model, on the validation images.

    What was not measured is None; earlier versions measured less. The fields are those of
    `export.gate.comparison.Comparison`.
    """

    accuracy: float | None = None
    reference_accuracy: float | None = None
    max_abs_diff: float | None = None
    agreement: float | None = None
    images: int | None = None
    accuracy_interval: Interval | None = None
    reference_interval: Interval | None = None
    lost: int | None = None
    gained: int | None = None
    mcnemar_p: float | None = None
    classes: tuple[ClassCounts, ...] = ()
    caught: int | None = None
    escapes: int | None = None
    escape_rate: float | None = None
    escape_interval: Interval | None = None
    escaped: tuple[EscapeRecord, ...] = ()


class Refused(Measured, frozen=True, kw_only=True):
    """An artefact that does not ship, and why not."""

    reason: str = ""


class EngineFigures(Part, frozen=True, kw_only=True):
    """An artefact in one engine beside the trained model."""

    accuracy: float
    agreement: float
    max_abs_diff: float


Outcome = Literal["ships", "helps", "fails", "no time"]
"""Outcome of a remedy: all of INT8 ships, or more of it, or no more; or the time was over."""


class RemedyRecord(Part, frozen=True, kw_only=True):
    """A remedy that was tried on INT8 after the gate had refused it.

    Args:
        remedy: what was changed.
        outcome: see `Outcome`.
        result: the same in words, with the images that were lost.
        seconds: that it took.
    """

    remedy: str
    outcome: Outcome
    result: str
    seconds: float


class Gate(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Limits on what a precision may lose, and what each lost.

    Args:
        max_drop: percentage points of accuracy.
        max_escapes: per cent of the defects that the trained model caught.
        strict: what is beyond a limit by count was refused, also where the images could not tell.
        unproven: by artefact that ships beyond a limit by count, why it does.
        remedies: those tried, in order.
        validation_images: how many decided.
        reference_accuracy: the trained model's, 0 to 1.
        comparisons: by artefact, shipped or not.
        engines: by artefact and engine.
    """

    max_drop: float | None = None
    max_escapes: float | None = None
    strict: bool = False
    unproven: dict[str, str] = {}
    remedies: tuple[RemedyRecord, ...] = ()
    validation_images: int | None = None
    reference_accuracy: float | None = None
    comparisons: dict[str, Measured] = {}
    engines: dict[str, dict[str, EngineFigures]] = {}


class Origin(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Origin of the model.

    Args:
        run: name of the run's folder.
        image_size: height and width in pixels.
        channels: of the training images.
        macs: multiply-accumulates per image.
        data: name of the image folder.
        data_digest: of the images, SHA-256 in hexadecimal.
        test_accuracy: of the trained model, 0 to 1, with its 95 % interval.
    """

    run: str | None = None
    encoder: str | None = None
    method: str | None = None
    image_size: tuple[int, ...] | None = None
    channels: int | None = None
    parameters: int | None = None
    macs: int | None = None
    split: str | None = None
    seed: int | None = None
    data: str | None = None
    data_digest: str | None = None
    test_accuracy: float | None = None
    test_accuracy_interval: Interval | None = None


class AlgorithmTried(Part, frozen=True, kw_only=True):
    """A calibration algorithm on part of the validation images.

    Args:
        snr_db: of the logits against FP32's; None where they are the same.
    """

    algorithm: str
    accuracy: float
    agreement: float
    snr_db: float | None
    chosen: bool


class LayerFigures(Part, frozen=True, kw_only=True):
    """A layer that alone is quantised; `kept` ones stay in floating point."""

    layer: str
    accuracy: float
    agreement: float
    snr_db: float | None
    kept: bool


class CurveFigures(Part, frozen=True, kw_only=True):
    """INT8 by the number of calibration images, of several draws.

    Args:
        enough: whether it is the least number that is.
    """

    images: int
    accuracies: tuple[float, ...]
    agreements: tuple[float, ...] = ()
    enough: bool = False


class CalibrationFacts(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Calibration of INT8; empty where there is none.

    Args:
        algorithm: that gave the ranges.
        selection: how the images were chosen.
        images: how many.
        observation: key of what was observed.
        kept: layers that stay in floating point.
        algorithms, sensitivity, curve: what was measured on the way.
    """

    algorithm: str | None = None
    selection: str | None = None
    images: int | None = None
    observation: str | None = None
    kept: tuple[str, ...] | None = None
    algorithms: tuple[AlgorithmTried, ...] = ()
    sensitivity: tuple[LayerFigures, ...] = ()
    curve: tuple[CurveFigures, ...] = ()


class ConfidenceFacts(Part, frozen=True, kw_only=True):
    """Temperature by which the network's outputs were divided, and what it changed.

    Errors are expected calibration errors, 0 to 1: how far confidences are from shares of right
    answers.

    Args:
        temperature: above 1 where the network was too sure of itself.
        images: of the validation part, to which it was fitted.
        error_before, error_after: on the validation part.
        test_error_before, test_error_after: on the test part, looked at afterwards.
    """

    temperature: float
    images: int
    error_before: float
    error_after: float
    test_error_before: float
    test_error_after: float

    def describe(self) -> str:
        """Return it in words."""
        return (
            f"temperature {self.temperature:.2f}, fitted to {self.images} validation images; "
            f"calibration error {self.error_before:.1%} to {self.error_after:.1%} there, "
            f"{self.test_error_before:.1%} to {self.test_error_after:.1%} on the test part"
        )


class Manifest(Document, frozen=True, kw_only=True):
    """Contents of a bundle, and what was measured of it.

    Args:
        name: the bundle's; empty in bundles that do not tell.
        created: ISO 8601.
        contract: labels and input.
        files: by name, all but the manifest itself and its signature.
        precisions: for the CPU's engines.
        openvino: where another form suits OpenVINO better.
        tensorrt: for TensorRT.
        refused: by artefact, what does not ship.
        rewrites: of the graph, by name.
        compiled: by artefact, what compiled it on trial.
        scene: light and focus that the model was trained on; None in bundles that do not tell.
        confidence: of the answers; None where it is as trained.
        novelty: from where on an image is unknown; None where none is.
        notes: what the user should know.
        digest: SHA-256 over the canonical JSON of all other fields.
    """

    WHAT: ClassVar[str] = "a manifest"
    REMEDY: ClassVar[str] = "copy the bundle again, or export it again"
    NEWEST: ClassVar[int] = MANIFEST_SCHEMA

    schema: int = MANIFEST_SCHEMA
    name: str = ""
    created: str = ""
    edgecl_version: str = ""
    contract: ContractRecord
    files: dict[str, FileEntry]
    precisions: dict[str, Precision]
    openvino: dict[str, Precision] = {}
    tensorrt: dict[str, Precision] = {}
    refused: dict[str, Refused] = {}
    gate: Gate = Gate()
    rewrites: tuple[str, ...] = ()
    compiled: dict[str, str] = {}
    origin: Origin = Origin()
    calibration: CalibrationFacts = CalibrationFacts()
    scene: SceneRecord | None = None
    confidence: ConfidenceFacts | None = None
    novelty: NoveltyRecord | None = None
    notes: tuple[str, ...] = ()
    digest: str = ""
