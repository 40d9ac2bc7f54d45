"""JSON documents of a run directory: result, config, metrics, and the checkpoint's journal."""

from __future__ import annotations

from typing import ClassVar, Literal

from edgecl.learning.config import CONFIG_SCHEMA, TrainConfig
from edgecl.learning.findings import BalanceFacts, ShiftReport, SuspectFacts
from runtime.files.document import Document, Part
from runtime.statistics import Interval

Stage = Literal["pretrain", "finetune", "distill"]
TextureModel = Literal["LDA", "logistic regression"]
"""Model that answers on the texture descriptor."""


class EpochMeasures(Part, frozen=True, kw_only=True):
    """One epoch; what was not measured in it is None.

    Args:
        stage: `pretrain`, `finetune` or `distill`.
        epoch: its number in the stage, from 1.
        loss, contrastive_accuracy: of pretraining.
        probe_accuracy, knn_accuracy: of the frozen encoder on the validation part.
        train_loss, train_accuracy, val_loss, val_accuracy: of fine-tuning.
        lr: learning rate.
        seconds: what the epoch took.
    """

    stage: Stage
    epoch: int
    loss: float | None = None
    contrastive_accuracy: float | None = None
    probe_accuracy: float | None = None
    knn_accuracy: float | None = None
    train_loss: float | None = None
    train_accuracy: float | None = None
    val_loss: float | None = None
    val_accuracy: float | None = None
    lr: float | None = None
    seconds: float = 0.0

    @property
    def pretraining_loss(self) -> float:
        """The contrastive loss of an epoch of pretraining."""
        if self.loss is None:
            raise ValueError(f"epoch {self.epoch} of {self.stage} has no contrastive loss")
        return self.loss


class MetricsLine(Document, EpochMeasures, frozen=True, kw_only=True):
    """One line of metrics.jsonl."""

    WHAT: ClassVar[str] = "a line of metrics"
    REMEDY: ClassVar[str] = "copy the run again, or train again"
    UNNUMBERED: ClassVar[bool] = True

    schema: Literal[1] = 1


class JournalRecord(Document, frozen=True, kw_only=True):
    """Journal of a run, as checkpoint.pt holds it beside tensors.

    Args:
        stage, epoch: the last whole epoch.
        history: all epochs so far.
        seconds: by stage.
        best_loss, best_epoch: of fine-tuning; an infinite loss and 0 before its first epoch.
    """

    WHAT: ClassVar[str] = "the journal of a checkpoint"
    REMEDY: ClassVar[str] = "delete the checkpoint to restart the run"
    UNNUMBERED: ClassVar[bool] = True

    schema: Literal[1] = 1
    stage: Stage
    epoch: int
    history: tuple[EpochMeasures, ...]
    seconds: dict[str, float]
    best_loss: float
    best_epoch: int


class PretrainingFacts(Part, frozen=True, kw_only=True):
    """Facts of a pretraining.

    Args:
        channels: of the encoder; 1 in files from before there was a choice.
        views: the augmentation; None likewise, for the method's own.
        epochs: how many.
        images: how many it saw.
        seconds: that it took.
        last_epoch: with its measures.
        notes: what a reader of its results must know.
    """

    encoder: str
    image_size: tuple[int, int]
    channels: int = 1
    method: str
    seed: int | None = None
    pretrain_on: str = "all"
    batch_size: int | None = None
    views: str | None = None
    epochs: int
    images: int
    seconds: float = 0.0
    last_epoch: EpochMeasures
    notes: tuple[str, ...] = ()


class RocCurve(Part, frozen=True, kw_only=True):
    """False and true positive rates, ascending."""

    fpr: tuple[float, ...]
    tpr: tuple[float, ...]


class ReliabilityRow(Part, frozen=True, kw_only=True):
    """Images whose answers are about equally confident; `confidence` is their mean."""

    low: float
    high: float
    count: int
    right: int
    confidence: float | None


class EmbeddingFacts(Part, frozen=True, kw_only=True):
    """Making of embedding.csv: `shown` points of `of` images."""

    method: str
    perplexity: float | None
    shown: int
    of: int


class TilingFacts(Part, frozen=True, kw_only=True):
    """Cut of images into tiles; see `runtime.artifact.tiling.Tiling`.

    Args:
        combine: as it was chosen.
        tiles_per_image: mean over the test part.
    """

    tile: tuple[int, int]
    stride: tuple[int, int]
    scale: float
    combine: str
    tiles_per_image: float


class CandidateAccuracy(Part, frozen=True, kw_only=True):
    """A possible teacher, and its accuracy on labelled images that it did not learn from."""

    name: str
    accuracy: float


class SelfTrainingFacts(Part, frozen=True, kw_only=True):
    """Self-training: the teacher, and what teacher and student reach on the test part.

    Args:
        candidates: the best first.
        measured_on: the labelled images that the candidates were compared on, in words.
        teacher: the chosen one; empty where there was no choice.
        refused: why nobody was taught; empty where the student was.
        unlabelled: images that the teacher labelled.
        teacher_accuracy: on the test part, 0 to 1; None where there is no teacher.
        before: accuracy of the network that only saw labels.
        student: accuracy of the student; None where nobody was taught.
        shipped: `student`, or `fine-tuned` where the validation part says that it is better.
    """

    candidates: tuple[CandidateAccuracy, ...]
    measured_on: str
    teacher: str
    refused: str
    unlabelled: int
    teacher_accuracy: float | None
    before: float
    student: float | None
    shipped: str


class ComparedChoices(Part, frozen=True, kw_only=True):
    """Choices that were compared by answers out of fold, such as ways to fine-tune.

    Args:
        chosen: the best one; without candidates, what is taken without a comparison.
        candidates: all of them; none where there were too few labelled images to compare.
        measured_on: the images that they were compared on, in words.
    """

    chosen: str
    candidates: tuple[CandidateAccuracy, ...]
    measured_on: str


class RunResult(Document, frozen=True, kw_only=True):
    """Result of a finished run on the test part.

    Fields with a default are missing in results of earlier versions.

    Args:
        accuracy: share of right answers, 0 to 1, with its interval by bootstrap over groups.
        recall, auc, roc: per label.
        confusion: rows are the truth, columns the answer.
        labels: class names.
        protocol_note: how the images were split, in words.
        counts: of images by part, and of groups.
        parameters, macs: of the encoder; multiply-accumulates per image.
        best_epoch: of fine-tuning, whose weights were kept.
        stages: seconds by stage.
        ece, brier, nll: how far confidences can be trusted.
        reliability: the bins that `ece` is taken over.
        pretrained: the pretraining that was taken over, if one was.
        texture_baseline: accuracy of a texture descriptor with a classical model that learnt from
            the same labels; a network must beat it.
        texture_model: that model: a linear discriminant, or logistic regression where no class has
            three labelled train images.
        probe: accuracy of logistic regression on the frozen encoder, before fine-tuning.
        tuning: how fine-tuning treats the pretrained encoder, where a comparison chose it.
        balance: sizes of the classes, and whether fine-tuning showed them equally often.
        shifts: test images as a drifting camera would take them.
        suspects: labels that are probably wrong; None where there are too few images to tell.
        notes: what the user should know.
    """

    WHAT: ClassVar[str] = "the result of a run"
    REMEDY: ClassVar[str] = "copy the run again, or train again with this version"
    UNNUMBERED: ClassVar[bool] = True

    schema: Literal[1] = 1
    accuracy: float
    accuracy_interval: Interval
    macro_f1: float
    recall: dict[str, float]
    confusion: tuple[tuple[int, ...], ...]
    auc: dict[str, float | None]
    roc: dict[str, RocCurve]
    ece: float | None = None
    reliability: tuple[ReliabilityRow, ...] = ()
    brier: float | None = None
    nll: float | None = None
    labels: tuple[str, ...]
    encoder: str
    method: str
    views: str | None = None
    image_size: tuple[int, int]
    channels: int = 1
    split: str
    seed: int | None = None
    folds: int = 0
    fold: int = 0
    label_share: float = 1.0
    label_draw: int = 0
    pretrained: PretrainingFacts | None = None
    protocol_note: str
    counts: dict[str, int]
    parameters: int
    macs: int
    best_epoch: int
    stages: dict[str, float]
    seconds: float
    embedding: EmbeddingFacts | None = None
    tiling: TilingFacts | None = None
    texture_baseline: float | None = None
    texture_model: TextureModel = "LDA"
    probe: float | None = None
    self_training: SelfTrainingFacts | None = None
    tuning: ComparedChoices | None = None
    balance: BalanceFacts | None = None
    shifts: ShiftReport | None = None
    suspects: SuspectFacts | None = None
    notes: tuple[str, ...]


class TrainingMachine(Part, frozen=True, kw_only=True):
    """Machine on which a run was trained, and the number of processes."""

    system: str
    python: str
    device: str
    threads: int
    ranks: int = 1


class RunConfig(Document, frozen=True, kw_only=True):
    """The choices of a run, and what the machine and the data added.

    Args:
        data_digest: of the images, SHA-256 in hexadecimal.
        counts: of images by part, and of groups.
        autocast_seconds_per_step: what was measured of each number format.
        command: the command line.
        versions: of packages.
        encoder_notes: what the user should know of the encoder's weights.
        flat_digest: of the flat-field's file, SHA-256 in hexadecimal; None without one.
        geometry: geometries that were compared; None where one was asked for.
    """

    WHAT: ClassVar[str] = "the config of a run"
    REMEDY: ClassVar[str] = "train again"
    NEWEST: ClassVar[int] = CONFIG_SCHEMA

    schema: int = CONFIG_SCHEMA
    choices: TrainConfig
    labels: tuple[str, ...]
    data_digest: str
    counts: dict[str, int] = {}
    autocast_seconds_per_step: dict[str, float] = {}
    command: tuple[str, ...] = ()
    machine: TrainingMachine | None = None
    versions: dict[str, str | None] = {}
    encoder_notes: tuple[str, ...] = ()
    flat_digest: str | None = None
    geometry: ComparedChoices | None = None
