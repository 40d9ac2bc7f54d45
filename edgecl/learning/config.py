"""Settings of a run, complete enough to repeat it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from edgecl.encoders import ENCODERS
from runtime.artifact.roi import Roi, parse_roi
from runtime.artifact.tiling import MEAN, STRETCH, TILES, Tiling
from runtime.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ENCODER_NAMES = tuple(ENCODERS)
"""The built-in encoders, and those of installed packages."""

# Their encoder is never trained; a support vector machine on it is the head.
FROZEN_ENCODERS = ("resnet101-svm",)
METHODS = ("simclr", "nnclr", "none")
NEGATIVES = ("all", "cross-view")
HEADS = ("paper", "wide")
VIEWS = ("auto", "zoom", "crop")
AUTOCAST = ("auto", "off", "bf16", "fp16")
BALANCE = ("auto", "off", "on")
PRETRAIN_ON = ("all", "unlabelled")
AUTO = "auto"
CONFIG_SCHEMA = 1
_OF_ANOTHER = "update edgecl, or train again with this version"


@dataclass(frozen=True)
class TrainConfig:
    """Choices of a run. Facts from the machine and the data are beside it in config.json.

    Args:
        data: the labelled folder; empty for the drawn surfaces.
        unlabelled: further folders for pretraining.
        groups: CSV of overlap groups; empty for none.
        encoder, method, split: by name.
        views: the augmentation of both stages: SimCLR's `zoom`, NNCLR's `crop`, or `auto` for the
            method's own, which without pretraining is SimCLR's.
        weights: file of weights to start from; empty for fresh ones.
        pretrained: a run whose pretraining to start from; empty for a pretraining of its own.
        pretrain_on: `all` for the train part and the unlabelled images, or `unlabelled` for
            those alone.
        pretrain_only: stop before fine-tuning.
        image_size: (height, width) of the network's input in pixels: of whole images, or of tiles.
        geometry: `stretch` for images resized to `image_size`, `tiles` of it at their own scale,
            or `auto` for what the labelled images show to be better; a run that has begun has one
            of the two.
        stride: largest step from tile to tile, (vertical, horizontal); empty for the tile's size.
        scale: factor by which every image is resized before it is cut into tiles.
        combine: of the tiles' answers: `mean`, `worst`, or `auto` for what the validation part
            shows to be better.
        robust: train on views as a drifting camera would take them, too.
        turns: train on tiles turned by a quarter, too.
        channels: of the encoder: 1, or 3 for copies of the gray image, as in the paper.
        interpolation: of the resize: `linear`, `area`, or `auto` for area where an image shrinks
            to less than half.
        bits: how many bits of 16-bit images are used; 0 to find out.
        roi: region of interest, `LEFT,TOP,WIDTH,HEIGHT` in pixels, that images are cut to before
            anything else; empty for whole images.
        flat: file of the camera's flat-field, of which every image is corrected; empty for images
            as they are.
        folds, fold: test on fold `fold` (from 0) of `folds`; 0 folds for one cut of 70/15/15.
        label_share: of the train and the validation part, whose labels are known.
        label_draw: which labels these are.
        head: projection head: `paper`, or `wide` with batch norm.
        pretrain_epochs, epochs: upper bounds; fine-tuning stops early.
        batch_size: images per step.
        pretrain_batch_size: likewise in pretraining; 0 for the same.
        pretrain_lr, lr: Adam's learning rate at the start of each stage, annealed by a cosine.
        temperature: of the contrastive loss.
        negatives: of SimCLR: `all` other views (the paper's text), or `cross-view` (its code).
        queue_size: embeddings in NNCLR's support set.
        layer_decay: factor on the learning rate of fine-tuning from each part of the encoder to the
            one before it; 1 trains all alike.
        balance: show all classes equally often in fine-tuning: `on`, `off`, or `auto` where the
            largest has more than three times the labelled train images of the smallest.
        freeze: fine-tune the head alone.
        choose_tuning: choose between these and all layers at one rate, out of fold.
        self_train: let a teacher label the unlabelled images, and learn from them.
        student_epochs: of that.
        patience: epochs without a lower validation loss before fine-tuning stops.
        autocast: `off`, `bf16`, `fp16` (on a GPU), or `auto` for what a short measurement finds
            fastest.
        compile: train the networks compiled.
        seed: of the split, the weights, the order and the augmentation.
        strict: refuse broken files and odd sizes.
        allow_leak: pretrain on copies of held-out images; marks every figure.
    """

    data: str = ""
    unlabelled: tuple[str, ...] = ()
    groups: str = ""
    encoder: str = "shufflenet"
    weights: str = ""
    method: str = "simclr"
    views: str = "auto"
    pretrained: str = ""
    pretrain_on: str = "all"
    pretrain_only: bool = False
    image_size: tuple[int, int] = (128, 128)
    geometry: str = STRETCH
    stride: tuple[int, ...] = ()
    scale: float = 1.0
    combine: str = "auto"
    robust: bool = False
    turns: bool = False
    channels: int = 1
    interpolation: str = "auto"
    bits: int = 0
    roi: str = ""
    flat: str = ""
    split: str = "grouped"
    folds: int = 0
    fold: int = 0
    label_share: float = 1.0
    label_draw: int = 0
    head: str = "paper"
    pretrain_epochs: int = 40
    epochs: int = 40
    batch_size: int = 32
    pretrain_batch_size: int = 0
    pretrain_lr: float = 1e-3
    lr: float = 5e-4
    temperature: float = 0.1
    negatives: str = "all"
    queue_size: int = 10_000
    layer_decay: float = 1.0
    balance: str = "auto"
    freeze: bool = False
    choose_tuning: bool = False
    self_train: bool = False
    student_epochs: int = 40
    patience: int = 15
    autocast: str = "auto"
    compile: bool = False
    seed: int = 0
    strict: bool = False
    allow_leak: bool = False

    @property
    def pretraining_batch(self) -> int:
        """Images per step of pretraining."""
        return self.pretrain_batch_size or self.batch_size

    @property
    def views_used(self) -> str:
        """The augmentation by name: `tiles`, or one of whole images."""
        return views_of(self.method, self.views) if self.geometry == STRETCH else TILES

    @property
    def tiling(self) -> Tiling | None:
        """Cut of images into tiles; None where they are stretched. `auto` combines by the mean.

        Raises:
            InputError: the choices make no tiling.
        """
        if self.geometry == STRETCH:
            return None
        combine = MEAN if self.combine == "auto" else self.combine
        stride = (self.stride[0], self.stride[-1]) if self.stride else None
        return Tiling(self.image_size, stride, self.scale, combine)

    @property
    def region(self) -> Roi | None:
        """Region of interest; None for whole images.

        Raises:
            InputError: the choice is no region.
        """
        return parse_roi(self.roi) if self.roi else None

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `from_json` takes back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, where: str) -> TrainConfig:
        """Read a configuration back.

        Raises:
            InputError: a field that this version does not know.
        """
        return cls(**known_values(cls, value, where=where, hint=_OF_ANOTHER))

    @classmethod
    def require_known(cls, value: Mapping[str, Any], *, where: str) -> None:
        """Refuse choices of another version.

        Raises:
            InputError: a field that this version does not know.
        """
        known_values(cls, value, where=where, hint=_OF_ANOTHER)


def views_of(method: str, views: str = "auto") -> str:
    """The augmentation by name: the one asked for, or the paper's for the method."""
    if views != "auto":
        return views
    return "crop" if method == "nnclr" else "zoom"


def known_values(
    kind: type[DataclassInstance], value: Mapping[str, Any], *, where: str, hint: str
) -> dict[str, Any]:
    """Return the arguments of a dataclass of plain values from its JSON: lists become tuples.

    Args:
        kind: the dataclass.
        value: its fields.
        where, hint: for the error.

    Raises:
        InputError: a field that `kind` does not know.
    """
    known = {field.name for field in fields(kind)}
    unknown = sorted(set(value) - known)
    if unknown:
        raise InputError(f"{where} has the unknown field {unknown[0]!r}", hint=hint)
    return {
        name: tuple(entry) if isinstance(entry, list) else entry for name, entry in value.items()
    }
