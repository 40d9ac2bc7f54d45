"""Images whose truth is known, from folders, from reviews and from a run, judged by a bundle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecl.data.dataset import ImageSet
from edgecl.data.groups import read_groups, with_groups
from edgecl.review.agreed import read_agreed
from edgecl.review.asking import FileAnswer, FileAsker, depth_of_files
from edgecl.review.export.events import links_of_events
from edgecl.review.export.folder import GROUPS, ORIGINS
from edgecl.tuning.judged import JudgedImage
from runtime.artifact.bundle import Bundle
from runtime.counting import counted
from runtime.errors import FrameError, InputError
from runtime.image.decode import read_encoded
from runtime.image.folder.labelled import find_labelled
from runtime.image.folder.notes import shown
from runtime.novelty import Novelty
from runtime.progress import StageProgress
from runtime.session import ENGINES, Session

_CALIBRATION = "calibration.json"


@dataclass(frozen=True)
class _Known:
    """An image file with its truth, before it is judged."""

    path: Path
    file: str
    truth: str
    group: str
    source: str
    bits: int | None = None


@dataclass
class TuningImages:
    """Judged images of all sources, each file once.

    Args:
        images: judged.
        notes: what the user should know.
        by_source: number of images of each.
    """

    images: list[JudgedImage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    by_source: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class TuningSources:
    """Sources of images whose truth is known.

    Args:
        data: labelled folders.
        groups: CSV of these, for all of them; None to take those of exported reviews.
        reviewed: folders of collected images with decisions.
        run: whose validation part counts; None for none.
    """

    data: Sequence[Path] = ()
    groups: Path | None = None
    reviewed: Sequence[Path] = ()
    run: Path | None = None


def judge_sources(
    sources: TuningSources,
    bundle: Bundle,
    session: Session,
    novelty: Novelty | None,
    above: float,
    report: StageProgress,
    bits: int | None = None,
) -> TuningImages:
    """Ask the bundle about every image of the sources.

    Args:
        novelty: None where no image is called unknown.
        above: largest distance of a known image.
        bits: how many bits of 16-bit images are used, where the line says so.

    Raises:
        InputError: a source cannot be used, has images that the model was trained on, or one
            image has two truths.
    """
    found = TuningImages()
    known = [*_of_folders(sources, found), *_of_reviews(sources.reviewed, found, report)]
    form = None
    if novelty is not None:
        target = ENGINES[session.engine].form if session.engine in ENGINES else "cpu"
        form = novelty.form(session.precision, target)
    depth = bits or depth_of_files([image.path for image in known], session)
    asker = FileAsker(session, bits=depth, novelty=novelty, form=form)
    trained: set[str] = _calibrated_on(bundle)
    if sources.run is not None:
        trained |= _judge_run(sources.run, bundle, asker, session, above, found, report)
    _judge_files(known, asker, session, above, trained, found, report)
    if not found.images:
        raise InputError("none of the images could be judged", hint="; ".join(found.notes[:3]))
    _refuse_two_truths(found.images)
    return found


def _of_folders(sources: TuningSources, found: TuningImages) -> Iterator[_Known]:
    for folder in sources.data:
        layout, labels = find_labelled(folder, strict=False)
        files = layout.files
        groups = dict(zip(files, files, strict=True))
        table = sources.groups
        if table is None and (folder / ORIGINS).is_file() and (folder / GROUPS).is_file():
            table = folder / GROUPS
        if table is not None:
            blank = ImageSet(np.empty((len(files), 1, 1), np.uint8), files, files, groups=files)
            with_own = with_groups(blank, read_groups(table), where=str(table))
            groups = dict(zip(files, with_own.groups, strict=True))
            found.notes.extend(note for note in with_own.notes if note not in found.notes)
        for path, file in zip(layout.paths, files, strict=True):
            group = f"{'' if sources.groups else folder} {groups[file]}"
            yield _Known(path, file, labels[file], group, str(folder))


def _of_reviews(
    folders: Sequence[Path], found: TuningImages, report: StageProgress
) -> Iterator[_Known]:
    for folder in folders:
        agreed = read_agreed(folder, report)
        images = [entry.image for entry in agreed.images]
        group = list(range(len(images)))
        for one, other in links_of_events(images):
            old, new = group[other], group[one]
            group = [new if number == old else number for number in group]
        for entry, number in zip(agreed.images, group, strict=True):
            record = entry.image.record
            yield _Known(
                entry.image.path,
                entry.image.file,
                entry.label,
                f"{folder} event {number}",
                str(folder),
                None if record is None else record.bits,
            )
        if agreed.disagreements:
            found.notes.append(
                f"{counted(agreed.disagreements, 'image')} of {folder} with disagreements left out"
            )
        found.notes.append(
            f"images of {folder} were kept for their verdicts: their shares are not those of all "
            "that the line sees"
        )


def _judge_files(
    known: Sequence[_Known],
    asker: FileAsker,
    session: Session,
    above: float,
    trained: set[str],
    found: TuningImages,
    report: StageProgress,
) -> None:
    seen = {image.digest: image for image in found.images}
    unread, twice, learnt = [], 0, []
    for number, image in enumerate(known):
        report("judging", number + 1, len(known), image.source)
        try:
            data = read_encoded(image.path)
            digest = hashlib.sha256(data).hexdigest()
            if digest in trained:
                learnt.append(image)
                continue
            if digest in seen and seen[digest].truth == image.truth:
                twice += 1
                continue
            answer = asker.ask(data, bits=image.bits)
        except FrameError as error:
            unread.append(f"{shown(image.path)}: {error}")
            continue
        judged = _judged(image, answer, session, above)
        seen.setdefault(digest, judged)
        found.images.append(judged)
        found.by_source[image.source] = found.by_source.get(image.source, 0) + 1
    if learnt:
        raise InputError(
            f"{counted(len(learnt), 'image')} of {learnt[0].source} taught this model, which "
            f"answers them better than any other (first: {shown(learnt[0].file)})",
            hint="pass images that it was not trained on; with --run RUN, the validation part",
        )
    if unread:
        found.notes.append(f"{counted(len(unread), 'file')} left out (first: {unread[0]})")
    if twice:
        found.notes.append(f"{counted(twice, 'file')} equal to another one: each counts once")


def _judged(image: _Known, answer: FileAnswer, session: Session, above: float) -> JudgedImage:
    best = int(answer.probabilities.argmax())
    return JudgedImage(
        image.file,
        answer.digest,
        image.truth,
        image.group,
        image.source,
        session.contract.labels[best],
        float(answer.probabilities[best]),
        # NaN is no distance either.
        answer.distance is not None and not answer.distance <= above,
    )


def _refuse_two_truths(images: Sequence[JudgedImage]) -> None:
    truths: dict[str, JudgedImage] = {}
    for image in images:
        other = truths.setdefault(image.digest, image)
        if other.truth != image.truth:
            raise InputError(
                f"one image has two labels: {shown(other.truth)} in {other.source} "
                f"({shown(other.file)}) and {shown(image.truth)} in {image.source} "
                f"({shown(image.file)})",
                hint="correct one of them",
            )


def _calibrated_on(bundle: Bundle) -> set[str]:
    """Return the SHA-256 of images that are known to be of the train part."""
    path = bundle.path / _CALIBRATION
    if _CALIBRATION not in bundle.manifest.files:
        return set()
    try:
        images = json.loads(path.read_text(encoding="utf-8")).get("images", [])
        return {str(image["sha256"]) for image in images}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return set()


def _judge_run(
    run: Path,
    bundle: Bundle,
    asker: FileAsker,
    session: Session,
    above: float,
    found: TuningImages,
    report: StageProgress,
) -> set[str]:
    """Judge the validation part of a run; return the SHA-256 of its train part.

    Raises:
        InputError: the run is not the bundle's, or its images are gone or changed.
    """
    from edgecl.data.pixels.tiled import TiledImages
    from edgecl.learning.run.own_flat import with_own_flat
    from edgecl.learning.run.preparation import prepare
    from edgecl.learning.run.run_directory import read_config
    from runtime.image.tiles import cut

    recorded = read_config(run)
    origin = bundle.manifest.origin
    if origin is None or origin.data_digest != recorded.data_digest:
        raise InputError(
            f"{bundle.path} was not exported from {run}: their images differ",
            hint="pass the run that the bundle was exported from, or images with --data",
        )
    config = with_own_flat(recorded.choices, run, recorded.flat_digest)
    config = replace(config, unlabelled=(), pretrained="", method="none", pretrain_on="all")
    prepared = prepare(config, report)
    dataset = prepared.dataset
    if dataset.digest() != recorded.data_digest:
        raise InputError(
            f"the images in {config.data} are not the ones that {run} was trained on",
            hint="restore them, or pass other images with --data",
        )
    rows = prepared.split.validation.tolist()
    for number, row in enumerate(rows):
        report("validation", number + 1, len(rows), str(run))
        tiles: NDArray[np.uint8]
        if isinstance(dataset.images, TiledImages):
            tiles = cut(dataset.images[row : row + 1].pixels[0], dataset.images.tiling)[:, None]
        else:
            tiles = np.ascontiguousarray(dataset.images[row])[None, None]
        truth = dataset.labels[int(dataset.targets[row])]
        file, group = dataset.files[row], f"{run} {dataset.groups[row]}"
        image = _Known(Path(file), file, truth, group, f"validation of {run}")
        answer = asker.ask_tiles(tiles, dataset.hashes[row])
        found.images.append(_judged(image, answer, session, above))
    found.by_source[f"validation of {run}"] = len(rows)
    found.notes.append(
        "training stopped, and confidences were corrected, by the validation part: other images "
        "may fare a little worse"
    )
    return {dataset.hashes[row] for row in prepared.split.train.tolist()}
