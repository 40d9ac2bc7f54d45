"""From a run's choices to its pictures: read, grouped, split, and checked for leaks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecl.data.builtin import builtin_pictures
from edgecl.data.dataset import PictureSet
from edgecl.data.groups import read_groups, with_groups
from edgecl.data.known import neu_groups
from edgecl.data.reading import read_labelled, read_unlabelled
from edgecl.data.splits import Split, split_pictures
from edgecl.learning.config import TrainConfig
from runtime.contract import InputContract
from runtime.errors import InputError

Report = Callable[[str, int, int, str], None]
"""Called with (stage, done, total, text) as work goes on."""

BUILTIN_COUNT = 1050
BUILTIN_SEED = 0
# Re-encoded copies of one picture correlate above 0.998 at this size.
THUMBNAIL = 32
COPY_CORRELATION = 0.98
# How a note begins that no figure may go without.
LEAK = "leaks:"


@dataclass(frozen=True)
class Prepared:
    """What a run learns from and is tested on.

    Args:
        pictures: the labelled set.
        split: its three parts.
        extra: pictures without labels, uint8 M×H×W; copies of held-out pictures only where
            the user allowed the leak.
        notes: what a reader of the results must know of the data.
        protocol_note: what the split means for the figures.
    """

    pictures: PictureSet
    split: Split
    extra: NDArray[np.uint8]
    notes: tuple[str, ...]
    protocol_note: str

    @property
    def counts(self) -> dict[str, int]:
        """Sizes of the parts, for the reports."""
        return {
            "train": len(self.split.train),
            "validation": len(self.split.validation),
            "test": len(self.split.test),
            "groups": len(set(self.pictures.groups)),
            "unlabelled": len(self.extra),
        }


def prepare(config: TrainConfig, report: Report) -> Prepared:
    """Read, group and split the data that `config` names. The same choices give the same parts.

    Raises:
        InputError: the data cannot be used; the message names the file.
    """
    contract = InputContract(*config.image_size, config.interpolation)
    pictures = _labelled(config, contract, report)
    notes = [f"left out {item.file}: {item.reason}" for item in pictures.skipped]
    if len(pictures.sizes) > 1:
        (usual, _), *odd = sorted(pictures.sizes.items(), key=lambda item: -item[1])
        count = sum(number for _, number in odd)
        notes.append(
            f"{count} picture(s) differ in size from the usual {usual[0]}x{usual[1]} and were "
            f"stretched like the others"
        )
    known = neu_groups(pictures) if config.data and not config.groups else None
    if known is not None:
        pictures = replace(pictures, groups=known)
        notes.append(
            f"these are NEU pictures: the {len(set(known))} overlap groups that edgecl knows of "
            f"them were used"
        )
    split = split_pictures(
        config.split, pictures.targets, pictures.groups, pictures.labels, seed=config.seed
    )
    if len(split.train) < config.batch_size:
        raise InputError(
            f"the train part has {len(split.train)} pictures, fewer than a batch of "
            f"{config.batch_size}",
            mend=f"give more pictures, or --batch-size {max(len(split.train) // 2, 2)}",
        )
    extra = _extra(config, contract, pictures, split, notes, report)
    protocol = _protocol_note(config, grouped=bool(config.groups or known))
    leaks = [note for note in notes if note.startswith(LEAK)]
    return Prepared(pictures, split, extra, tuple(notes), "; ".join((*leaks, protocol)))


def _labelled(config: TrainConfig, contract: InputContract, report: Report) -> PictureSet:
    if not config.data:
        report("data", 0, 1, "drawing the built-in surfaces")
        drawn = _drawn(config.image_size)
        report("data", 1, 1, f"{len(drawn)} drawn surfaces")
        return drawn
    pictures = read_labelled(
        Path(config.data),
        contract,
        strict=config.strict,
        progress=lambda done, total: report("data", done, total, f"reading {config.data}"),
    )
    if config.groups:
        pictures = with_groups(pictures, read_groups(Path(config.groups)), where=config.groups)
    return pictures


def _drawn(image_size: tuple[int, int]) -> PictureSet:
    """The built-in set, drawn at the model's size."""
    images, names, groups, files = builtin_pictures(BUILTIN_COUNT, image_size, seed=BUILTIN_SEED)
    labels = tuple(sorted(set(names)))
    return PictureSet(
        images=images,
        files=files,
        hashes=[hashlib.sha256(image.tobytes()).hexdigest() for image in images],
        labels=labels,
        targets=np.array([labels.index(name) for name in names], np.int64),
        groups=groups,
        sizes={image_size: len(images)},
    )


def _extra(
    config: TrainConfig,
    contract: InputContract,
    pictures: PictureSet,
    split: Split,
    notes: list[str],
    report: Report,
) -> NDArray[np.uint8]:
    unlabelled = read_unlabelled(
        [Path(folder) for folder in config.unlabelled],
        contract,
        strict=config.strict,
        progress=lambda done, total: report("data", done, total, "reading unlabelled pictures"),
    )
    notes.extend(f"left out {item.file}: {item.reason}" for item in unlabelled.skipped)
    if not len(unlabelled):
        return unlabelled.images
    held_out = np.concatenate((split.validation, split.test))
    copies = copies_of(unlabelled.images, pictures.images[held_out])
    count = int(copies.sum())
    if count and not config.allow_leak:
        first = unlabelled.files[int(copies.argmax())]
        raise InputError(
            f"{count} of {len(unlabelled)} unlabelled pictures are copies of validation or test "
            f"pictures (the first is {first})",
            mend="remove them ('edgecl audit' names each one's partner), or pass --allow-leak, "
            "which marks every figure",
        )
    if count:
        notes.append(
            f"{LEAK} {count} of {len(unlabelled)} unlabelled pictures are copies of validation or "
            f"test pictures, and --allow-leak let them into pretraining"
        )
    return unlabelled.images


def copies_of(images: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of `images` show, re-encoded or not, the same picture as one of `others`.

    Two pictures count as copies when their thumbnails correlate above `COPY_CORRELATION`. Shifted
    overlaps are not found this way.

    Args:
        images: uint8, N×H×W.
        others: uint8, M×H×W.

    Returns:
        bool, N.
    """
    if not len(images) or not len(others):
        return np.zeros(len(images), np.bool_)
    found: NDArray[np.bool_] = (_thumbnails(images) @ _thumbnails(others).T).max(
        axis=1
    ) > COPY_CORRELATION
    return found


def _thumbnails(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Unit vectors of the centred thumbnails, float32 N×1024."""
    size = (THUMBNAIL, THUMBNAIL)
    small = np.stack(
        [cv2.resize(image, size, interpolation=cv2.INTER_AREA).reshape(-1) for image in images]
    ).astype(np.float32)
    small -= small.mean(axis=1, keepdims=True)
    unit: NDArray[np.float32] = small / (np.linalg.norm(small, axis=1, keepdims=True) + 1e-6)
    return unit


def _protocol_note(config: TrainConfig, *, grouped: bool) -> str:
    if config.split == "paper":
        return (
            "paper: a random split. Overlapping pictures of one strip can stand on both sides, so "
            "these figures leak and compare with no grouped figure."
        )
    if config.data and not grouped:
        return (
            "grouped, but no --groups was given: every picture counts as its own group. If "
            "pictures overlap or show one strip, these figures leak: 'edgecl audit' finds out and "
            "writes the groups."
        )
    return "grouped: no overlap group is on two sides of the split."


def with_autocast(config: TrainConfig, autocast: str) -> TrainConfig:
    """The same choices with the number format decided."""
    return replace(config, autocast=autocast)
