"""Everything that reviewers look at, put together before the page is served."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecl.review.asking import FileAsker, depth_of_files, read_files
from edgecl.review.cache import AnswerCache
from edgecl.review.collected import CollectedImage, find_collected
from edgecl.review.decisions.labels import in_order
from edgecl.review.neighbours import EmbeddingIndex
from runtime.artifact.bundle import Bundle
from runtime.counting import counted
from runtime.errors import FrameError, InputError
from runtime.image.decode import decode_image
from runtime.image.folder.labelled import find_labelled
from runtime.image.folder.notes import shown
from runtime.progress import StageProgress
from runtime.session import Session


@dataclass(frozen=True)
class DeskImage:
    """An image under review.

    Args:
        digest: SHA-256 of its file, by which decisions name it.
        image: where it is, and what the line said.
        answer: probabilities by label of the bundle that was given; None without one.
    """

    digest: str
    image: CollectedImage
    answer: Mapping[str, float] | None = None


@dataclass(frozen=True)
class LabelledImage:
    """An image that had its label before."""

    digest: str
    path: Path
    label: str


@dataclass(frozen=True)
class Desk:
    """Images under review, and what helps to decide.

    Args:
        folder: that they are in.
        images: those whose files are equal once.
        labelled: images that had labels before, by SHA-256.
        embeddings: of both; None without a bundle.
        labels: that are offered.
        notes: what was passed over.
    """

    folder: Path
    images: Sequence[DeskImage]
    labelled: Mapping[str, LabelledImage] = field(default_factory=dict)
    embeddings: EmbeddingIndex | None = None
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def lay_out(
    folder: Path,
    report: StageProgress,
    *,
    labelled: Path | None = None,
    bundle: Bundle | None = None,
    session: Session | None = None,
    labels: Sequence[str] = (),
    cache: AnswerCache | None = None,
) -> Desk:
    """Read all images, and ask the bundle about them where there is one.

    Args:
        labelled: a folder as `edgecl train --data` takes it.
        bundle, session: whose embeddings are compared; both or neither.
        labels: further ones that are offered.
        cache: of the session's answers.

    Raises:
        InputError: there are no readable images, or a folder cannot be used.
    """
    collected = find_collected(folder)
    notes = list(collected.notes)
    known: list[tuple[Path, str]] = []
    if labelled is not None:
        layout, names = find_labelled(labelled, strict=False)
        known = [(path, names[file]) for path, file in zip(layout.paths, layout.files, strict=True)]
    asker = None
    if session is not None:
        bits = depth_of_files([image.path for image in collected.images], session)
        asker = FileAsker(session, bits=bits)
    reader = _Reader(asker, cache, report)
    found: dict[str, DeskImage] = {}
    records = [image.record for image in collected.images]
    depths = [None if record is None else record.bits for record in records]
    # Colours over an image are not what the model knows: such images have no neighbours.
    for image, digest, probabilities in zip(
        collected.images,
        *reader.read(
            "reading",
            [image.path for image in collected.images],
            depths,
            [not image.under_heat_map for image in collected.images],
        ),
        strict=True,
    ):
        if digest:
            answer = None
            if probabilities is not None and session is not None:
                answer = dict(zip(session.contract.labels, probabilities.tolist(), strict=True))
            found.setdefault(digest, DeskImage(digest, image, answer))
    if not found:
        raise InputError(
            f"none of the {len(collected.images)} images in {folder} can be read "
            f"({reader.problem})",
            hint="pass a folder of JPEG, PNG, BMP or TIFF files",
        )
    same = len(collected.images) - len(found) - reader.failed
    if same:
        notes.append(f"{counted(same, 'file')} equal to another one: each image is shown once")
    known_images: dict[str, LabelledImage] = {}
    if known:
        paths = [path for path, _ in known]
        digests, _ = reader.read("labelled", paths, [None] * len(paths), [True] * len(paths))
        for (path, label), digest in zip(known, digests, strict=True):
            if digest:
                known_images.setdefault(digest, LabelledImage(digest, path, label))
    if reader.failed:
        notes.append(f"{counted(reader.failed, 'file')} cannot be read (first: {reader.problem})")
    if cache is not None:
        cache.write()
    offered = in_order(
        (
            labels,
            sorted({image.label for image in known_images.values()}),
            () if bundle is None else bundle.contract.labels,
            sorted(_answers_of(found.values())),
        )
    )
    return Desk(folder, tuple(found.values()), known_images, reader.index(), offered, tuple(notes))


def _answers_of(images: Iterable[DeskImage]) -> set[str]:
    return {
        entry.image.record.verdict.label
        for entry in images
        if entry.image.record is not None and entry.image.record.verdict.label
    }


class _Reader:
    """Reads files once, and gathers digests, answers and embeddings."""

    def __init__(
        self, asker: FileAsker | None, cache: AnswerCache | None, report: StageProgress
    ) -> None:
        self._asker = asker
        self._cache = cache
        self._report = report
        self._digests: list[str] = []
        self._embeddings: list[NDArray[np.float32]] = []
        self.failed = 0
        self.problem = ""

    def read(
        self,
        stage: str,
        paths: Sequence[Path],
        depths: Sequence[int | None],
        asked: Sequence[bool],
    ) -> tuple[list[str], list[NDArray[np.float32] | None]]:
        """Return each file's SHA-256, empty where it cannot be read, and its probabilities."""
        digests: list[str] = []
        answers: list[NDArray[np.float32] | None] = []
        where = str(paths[0].parent)
        for row, data, problem in read_files(
            paths, lambda done: self._report(stage, done, len(paths), where)
        ):
            digest, answer = "", None
            if data is not None:
                try:
                    digest, answer = self._look(data, depths[row], asked[row])
                except FrameError as error:
                    problem = str(error)
            if not digest:
                self.failed += 1
                self.problem = self.problem or f"{shown(paths[row])}: {problem}"
            digests.append(digest)
            answers.append(answer)
        return digests, answers

    def index(self) -> EmbeddingIndex | None:
        if not self._embeddings:
            return None
        return EmbeddingIndex(self._digests, np.stack(self._embeddings))

    def _look(
        self, data: bytes, bits: int | None, asked: bool
    ) -> tuple[str, NDArray[np.float32] | None]:
        digest = hashlib.sha256(data).hexdigest()
        if self._asker is None or not asked:
            decode_image(data)  # one that cannot be read is not shown
            return digest, None
        answer = None if self._cache is None else self._cache.get(digest)
        if answer is None:
            answer = self._asker.ask(data, bits=bits)
            if self._cache is not None:
                self._cache.add(answer)
        self._digests.append(digest)
        self._embeddings.append(answer.embedding)
        return digest, answer.probabilities
