"""A pick from its folders to its own: read, describe, choose, copy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecl.data.pixels.tiled import TiledImages
from edgecl.learning.evaluation.texture import describe_texture
from edgecl.learning.run.sources import frame_view_of
from edgecl.picking.choice import PickedRows, choose
from edgecl.picking.documents import PickedImage
from edgecl.picking.doubtful import ModelAnswers
from edgecl.picking.encoder import RunEncoder
from edgecl.picking.pool import Copies, Pool, read_pool
from runtime.counting import counted
from runtime.errors import InputError
from runtime.files.table import new_table
from runtime.progress import StageProgress

TABLE = "picked.csv"
COLUMNS = ("rank", "file", "copy", "reason", "cluster", "typicality", "margin")
_LONGEST = 80
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


@dataclass(frozen=True)
class PickChoices:
    """Choices of the user for a pick.

    Args:
        folders: of images to pick from.
        labelled: folders of images that are labelled already.
        encoder: of a run, to describe images by as well.
        scale: factor by which every image is resized before it is described.
        bits: how many bits of 16-bit images are used; None to find out.
        count: images wanted.
        seed: of the clusters.
    """

    folders: Sequence[Path]
    count: int
    labelled: Sequence[Path] = ()
    encoder: RunEncoder | None = None
    scale: float = 1.0
    bits: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Picked:
    """Result of a pick.

    Args:
        rows: what was picked, in the order of priority.
        images: of these, uint8, K of any size.
        paths: of these.
        choice: how they were chosen.
        offered, labelled, classes, copies: numbers of images and classes.
        notes: what the user should know.
    """

    rows: Sequence[PickedImage]
    images: Sequence[NDArray[np.uint8]]
    paths: Sequence[Path]
    choice: PickedRows
    offered: int
    labelled: int
    classes: int
    copies: int
    notes: tuple[str, ...]


def pick(choices: PickChoices, report: StageProgress) -> Picked:
    """Read all images, describe them and choose.

    Raises:
        InputError: a folder without readable images, or nothing in it that is not labelled.
    """
    known, offered = _read(choices, report)
    count = len(known) if known is not None else 0
    pixels = [*(known.images if known is not None else ()), *offered.images]
    images = TiledImages(pixels, offered.images.tiling)
    copies = Copies(images, count)
    if not copies.free.any():
        raise InputError(
            f"nothing is left to label: all {len(offered)} images are copies of labelled ones",
            hint="add images, or check the folders of --labelled and --run",
        )
    names = list(known.names) if known is not None else []
    texture = _texture(images, report)
    kinds, answers = [texture], None
    if choices.encoder is not None:
        embeddings, answers = _encoded(choices.encoder, images, report)
        kinds.append(embeddings)
    report("choosing", 0, 1, f"{choices.count} of {len(offered)}")
    choice = choose(
        kinds,
        names,
        labelled=count,
        free=copies.free,
        count=choices.count,
        are_copies=copies.among,
        answers=answers,
        seed=choices.seed,
    )
    report("choosing", 1, 1, "")
    rows = choice.rows.tolist()
    paths = [offered.paths[row - count] for row in rows]
    digits = max(3, len(str(len(rows))))
    return Picked(
        rows=[
            PickedImage(
                rank=rank,
                file=str(paths[rank - 1]),
                copy=safe_name(rank, paths[rank - 1], digits),
                reason=choice.reasons[rank - 1],
                cluster=int(choice.clusters[row]),
                typicality=float(choice.typicality[row]),
                margin=None if choice.margins is None else float(choice.margins[row]),
            )
            for rank, row in enumerate(rows, start=1)
        ],
        images=[images[row] for row in rows],
        paths=paths,
        choice=choice,
        offered=len(offered),
        labelled=count,
        classes=len({name for name in names if name}),
        copies=len(offered) - int(copies.free.sum()),
        notes=(*_notes(choices, known, offered, len(rows)),),
    )


def _read(choices: PickChoices, report: StageProgress) -> tuple[Pool | None, Pool]:
    scale = choices.encoder.scale if choices.encoder is not None else choices.scale
    view = None if choices.encoder is None else frame_view_of(choices.encoder.config)
    read = partial(read_pool, scale=scale, bits=choices.bits, view=view, report=report)
    known = read(choices.labelled, stage="labelled") if choices.labelled else None
    return known, read(choices.folders, stage="reading")


def _texture(images: TiledImages, report: StageProgress) -> NDArray[np.float32]:
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        report("texture", done, len(images), "describing images")

    return describe_texture(images, tick)


def _encoded(
    encoder: RunEncoder, images: TiledImages, report: StageProgress
) -> tuple[NDArray[np.float32], ModelAnswers | None]:
    """Return embeddings, float32 N×D, and the answers of a finished run."""
    embeddings, probabilities = encoder.describe(
        images, lambda done: report("encoder", done, len(images), str(encoder.run))
    )
    if probabilities is None:
        return embeddings, None
    return embeddings, ModelAnswers(f"the network of {encoder.run}", encoder.labels, probabilities)


def _notes(choices: PickChoices, known: Pool | None, offered: Pool, found: int) -> list[str]:
    notes = [*(known.notes if known is not None else ()), *offered.notes]
    if found < choices.count:
        notes.append(
            f"{counted(found, 'image')} of the {choices.count} asked for: the others are copies "
            "of these or of labelled ones, or there are no more"
        )
    return notes


def safe_name(rank: int, path: Path, digits: int = 3) -> str:
    """Return a name for a copy that every file system takes and that sorts by rank."""
    suffix = path.suffix if _SUFFIX.fullmatch(path.suffix) else ""
    stem = re.sub(r"[^A-Za-z0-9.-]+", "_", path.stem if suffix else path.name)
    return f"{rank:0{digits}d}_{stem.strip('._')[:_LONGEST] or 'image'}{suffix}"


def write_picked(folder: Path, picked: Picked) -> None:
    """Copy the picked files into a folder, and write the table of them.

    Raises:
        InputError: an image is gone, or the folder cannot be written.
    """
    for row, path in zip(picked.rows, picked.paths, strict=True):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(
                f"cannot read {path}: {error.strerror or error}",
                hint="pick again once the folder stays as it is",
            ) from error
        (folder / row.copy).write_bytes(data)
    with new_table(folder / TABLE) as write_row:
        write_row(COLUMNS)
        for row in picked.rows:
            margin = "" if row.margin is None else f"{row.margin:.6f}"
            write_row(
                [
                    row.rank,
                    row.file,
                    row.copy,
                    row.reason,
                    row.cluster,
                    f"{row.typicality:.6g}",
                    margin,
                ]
            )
