"""Preparation of a run's images: read, grouped, split, and checked for leaks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecl.data.copies import copies_across, find_copies, under_two_labels, with_copies_joined
from edgecl.data.dataset import ImageSet, skipped_notes
from edgecl.data.groups import read_groups, with_groups
from edgecl.data.known import neu_groups
from edgecl.data.pixels.selection import ImageRows, Stored, select
from edgecl.data.splits import Split, labelled_rows, split_images, uneven_classes
from edgecl.learning.config import TrainConfig
from edgecl.learning.run.held_out import admit, held_out, left_across, of_the_train_part
from edgecl.learning.run.leaks import LEAK, copies_of
from edgecl.learning.run.pretrained import Pretrained, read_pretrained
from edgecl.learning.run.sizes import scale_notes, sizes_notes
from edgecl.learning.run.sources import ImageSource
from runtime.counting import counted
from runtime.errors import InputError
from runtime.progress import StageProgress

FEWEST_TO_CHOOSE = 50
FEWEST_TO_TEST = 50
WITHOUT_GROUPS = "but without --groups"
"""Words of a protocol's note that a page looks for."""


@dataclass(frozen=True)
class Prepared:
    """Images that a run learns from and is tested on.

    Args:
        dataset: the labelled set.
        split: its three parts; of train and validation only what has its label.
        pretraining: int64, rows of `dataset` that pretraining may see, with or without label.
        extra: images without labels, uint8 M×H×W or of any size; copies of held-out images only
            where the user allowed the leak.
        notes: what a reader of the results must know of the data.
        protocol_note: what the split means for the figures.
        pretrained: another run's pretraining, to be taken over.
    """

    dataset: ImageSet
    split: Split
    pretraining: NDArray[np.int64]
    extra: Stored
    notes: tuple[str, ...]
    protocol_note: str
    pretrained: Pretrained | None = None

    def pretraining_images(self) -> ImageRows:
        """Return the images for pretraining, uint8 M×H×W or of any size."""
        return select(
            (self.dataset.images, self.pretraining), (self.extra, np.arange(len(self.extra)))
        )

    @property
    def can_choose(self) -> bool:
        """Whether the validation part is large enough to choose an epoch by.

        With fewer images the lowest loss is chance, often that of an early epoch; the whole
        budget is trained then, and the last epoch's average is kept.
        """
        return len(self.split.validation) >= FEWEST_TO_CHOOSE

    @property
    def counts(self) -> dict[str, int]:
        """Sizes of the parts, for the reports."""
        return {
            "train": len(self.split.train),
            "validation": len(self.split.validation),
            "test": len(self.split.test),
            "groups": len(set(self.dataset.groups)),
            "unlabelled": len(self.extra),
            "pretraining": len(self.pretraining) + len(self.extra),
        }


def prepare(
    config: TrainConfig, report: StageProgress, source: ImageSource | None = None
) -> Prepared:
    """Read, group and split the data that `config` names. The same choices give the same parts.

    Args:
        source: where images come from; None to read them.

    Raises:
        InputError: the data cannot be used; the message names the file.
    """
    source = source or ImageSource()
    dataset = labelled_images(config, source, report)
    sizes = sizes_notes(dataset)  # before anything that images of no size would mislead
    if config.groups:
        dataset = with_groups(dataset, read_groups(Path(config.groups)), where=config.groups)
    known = neu_groups(dataset) if config.data and not config.groups else None
    if known is not None:
        note = f"these are NEU images: their {len(set(known))} known overlap groups were used"
        dataset = replace(dataset, groups=known, notes=(*dataset.notes, note))
    copies = find_copies(dataset.images)
    ambiguous = under_two_labels(dataset, copies)
    if ambiguous and config.strict:
        raise InputError(ambiguous, hint="keep one of each, or omit --strict")
    grouped = config.split == "grouped"
    if grouped:
        dataset = with_copies_joined(dataset, copies)
    whole = split_images(
        config.split,
        dataset.targets,
        dataset.groups,
        dataset.labels,
        seed=config.seed,
        folds=config.folds,
        fold=config.fold,
    )
    notes = [
        *([ambiguous] if ambiguous else ()),
        *uneven_classes(
            config.split,
            whole,
            dataset.targets,
            dataset.groups,
            dataset.labels,
            folds=config.folds,
        ),
        *(left_across(dataset, whole) if grouped else copies_across(dataset, whole, copies)),
        *dataset.notes,
        *skipped_notes(dataset.skipped),
        *sizes,
    ]
    pretraining = whole.train if config.pretrain_on == "all" else whole.train[:0]
    extra = _extra(config, source, dataset, whole, notes, report)
    pretrained = None
    if config.pretrained:
        pretrained = read_pretrained(Path(config.pretrained), config)
        notes += pretrained.notes(config)
        leaks = copies_of(pretrained.seen, held_out(dataset, whole))
        # A pretraining of the run's own would see these as well; a note tells.
        leaks &= ~of_the_train_part(pretrained.seen, dataset, whole)
        admit(leaks, "pretraining images", str(pretrained.path.parent), config, notes)
    elif config.method != "none":
        _require_batch(config, len(pretraining) + len(extra))
    protocol = _protocol_note(config, grouped=bool(config.groups or known))
    marks = [note for note in notes if note.startswith(LEAK)]
    found = Prepared(
        dataset,
        _labelled_split(config, dataset, whole),
        pretraining,
        extra,
        tuple(notes),
        "; ".join((*marks, protocol)),
        pretrained,
    )
    return replace(found, notes=(*notes, *_few_notes(found, folds=config.folds)))


def _few_notes(prepared: Prepared, *, folds: int) -> list[str]:
    """Describe parts that are too small for what they are there for."""
    counts, found = prepared.counts, list[str]()
    if not prepared.can_choose:
        found.append(
            f"the validation part has {counted(counts['validation'], 'image')}, too few to "
            "choose an epoch: training runs to its last epoch"
        )
    if counts["test"] < FEWEST_TO_TEST:
        more = "" if folds else ": --folds, with a run for each --fold, tests every image once"
        found.append(
            f"the test part has {counted(counts['test'], 'image')}, so one of them is "
            f"{100 / counts['test']:.0f} points of accuracy{more}"
        )
    return found


def _labelled_split(config: TrainConfig, dataset: ImageSet, whole: Split) -> Split:
    """Reduce the split to known labels: few for training means few for validation."""
    seed = [config.seed, config.label_draw]
    parts = {
        part: labelled_rows(
            getattr(whole, part),
            dataset.targets,
            dataset.groups,
            dataset.labels,
            share=config.label_share,
            seed=seed,
            part=part,
        )
        for part in ("train", "validation")
    }
    return Split(**parts, test=whole.test)


def _require_batch(config: TrainConfig, count: int) -> None:
    if count >= config.pretraining_batch:
        return
    if not count:
        raise InputError(
            "nothing to pretrain on: --pretrain-on unlabelled needs --unlabelled",
            hint="pass folders with --unlabelled, or use --pretrain-on all",
        )
    option = "--pretrain-batch-size" if config.pretrain_batch_size else "--batch-size"
    what = "train part" if config.pretrain_on == "all" else "unlabelled set"
    raise InputError(
        f"the {what} has {count} images, fewer than one batch of {config.pretraining_batch}",
        hint=f"add images, or use {option} {max(count // 2, 2)}",
    )


def labelled_images(config: TrainConfig, source: ImageSource, report: StageProgress) -> ImageSet:
    """Return the labelled images, each of them its own group.

    Raises:
        InputError: see `ImageSource.labelled`.
    """
    what = f"reading {config.data}" if config.data else "drawing the built-in surfaces"
    return source.labelled(config, lambda done, total: report("data", done, total, what))


def _extra(
    config: TrainConfig,
    source: ImageSource,
    dataset: ImageSet,
    split: Split,
    notes: list[str],
    report: StageProgress,
) -> Stored:
    what = "reading unlabelled images"
    unlabelled = source.unlabelled(config, lambda done, total: report("data", done, total, what))
    notes.extend(unlabelled.notes)
    notes.extend(f"unlabelled images: {note}" for note in skipped_notes(unlabelled.skipped))
    if not len(unlabelled):
        return unlabelled.images
    notes.extend(scale_notes(dataset, unlabelled))
    copies = copies_of(unlabelled.images, held_out(dataset, split))
    first = f"first: {unlabelled.files[int(copies.argmax())]}"
    admit(copies, "unlabelled images", first, config, notes)
    return unlabelled.images


def _protocol_note(config: TrainConfig, *, grouped: bool) -> str:
    sentences = [_protocol(config, grouped=grouped)]
    if config.folds:
        sentences.append(f"Tested on fold {config.fold} of {config.folds}, counted from 0.")
    if config.label_share < 1:
        sentences.append(
            f"Labels of {100 * config.label_share:g} % of the train and validation parts, "
            f"draw {config.label_draw}."
        )
    return " ".join(sentences)


def _protocol(config: TrainConfig, *, grouped: bool) -> str:
    if config.split == "paper":
        return (
            "paper: a random split. Overlapping images of one strip can be in several "
            "parts, so these figures leak and cannot be compared with grouped figures."
        )
    if config.data and not grouped:
        return (
            f"grouped, {WITHOUT_GROUPS}: every image counts as its own group. If images "
            "overlap or show the same strip, these figures leak: 'edgecl audit' finds "
            "overlaps and writes the groups."
        )
    return "grouped: no overlap group is in two parts of the split."
