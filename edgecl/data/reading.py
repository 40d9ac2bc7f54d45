"""Readers for the layouts that people have: class folders, NEU's flat names, plain folders."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from edgecl.data.dataset import PictureSet, Skipped
from runtime.contract import InputContract
from runtime.errors import FrameError, InputError
from runtime.picture import decode_gray, list_pictures
from runtime.preprocess import Preprocessor

Progress = Callable[[int, int], None]
"""Called with (done, total)."""

# NEU's flat names: rolled-in_scale_12.jpg is picture 12 of rolled-in_scale.
_FLAT_NAME = re.compile(r"^(?P<label>.*[^\d_-])[_-]?\d+$")


def read_labelled(
    folder: Path,
    contract: InputContract,
    *,
    strict: bool = False,
    progress: Progress | None = None,
) -> PictureSet:
    """Read a labelled folder: one folder per class, or flat names like `crazing_12.jpg`.

    Every picture is its own group until groups are set.

    Args:
        folder: the class folders, or the pictures.
        contract: the size that pictures are brought to, as on the line.
        strict: refuse a set with a broken file or an odd size instead of going on.

    Raises:
        InputError: no pictures, names without a class, one class only, or (strict) a broken file.
    """
    folder = _without_masks(folder)
    paths = _pictures(folder)
    labels = _labels_of(folder, paths)
    pictures = _decode(folder, paths, contract, strict=strict, progress=progress)
    kept = [labels[folder / file] for file in pictures.files]
    names = tuple(sorted(set(kept)))
    if len(names) < 2:
        raise InputError(
            f"{folder} holds pictures of one class only ({names[0]})",
            mend="add a folder for each further class, or pass it as --unlabelled",
        )
    index = {name: number for number, name in enumerate(names)}
    return PictureSet(
        images=pictures.images,
        files=pictures.files,
        hashes=pictures.hashes,
        labels=names,
        targets=np.array([index[label] for label in kept], np.int64),
        groups=list(pictures.files),
        skipped=pictures.skipped,
        sizes=pictures.sizes,
    )


def read_unlabelled(
    folders: Iterable[Path],
    contract: InputContract,
    *,
    strict: bool = False,
    progress: Progress | None = None,
) -> PictureSet:
    """Read every picture under `folders`, in whatever layout, without labels.

    Raises:
        InputError: a folder without pictures, or (strict) a broken file.
    """
    sets = [
        _decode(folder, _pictures(folder), contract, strict=strict, progress=progress)
        for folder in map(_without_masks, folders)
    ]
    sizes: Counter[tuple[int, int]] = Counter()
    for pictures in sets:
        sizes.update(pictures.sizes)
    return PictureSet(
        images=np.concatenate([p.images for p in sets])
        if sets
        else np.empty((0, *contract.shape), np.uint8),
        files=[file for p in sets for file in p.files],
        hashes=[digest for p in sets for digest in p.hashes],
        skipped=[skipped for p in sets for skipped in p.skipped],
        sizes=dict(sizes),
    )


def _without_masks(folder: Path) -> Path:
    """SD-saliency-900 and its like keep pictures and masks side by side; masks are no pictures."""
    images = folder / "images"
    return images if images.is_dir() and (folder / "masks").is_dir() else folder


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{folder} {what}", mend="give a folder of pictures")
    paths = list_pictures(folder)
    if not paths:
        raise InputError(
            f"there are no pictures in {folder}",
            mend="give a folder with one folder per class, or with names like crazing_12.jpg",
        )
    return paths


def _labels_of(folder: Path, paths: Sequence[Path]) -> dict[Path, str]:
    """The class of each picture, from its folder or from its flat name."""
    loose = [path for path in paths if path.parent == folder]
    if loose and len(loose) != len(paths):
        raise InputError(
            f"{folder} holds both class folders and loose pictures ({loose[0].name})",
            mend="move the loose pictures into their class folders",
        )
    if not loose:
        return {path: path.relative_to(folder).parts[0] for path in paths}
    labels = {}
    for path in loose:
        match = _FLAT_NAME.match(path.stem)
        if match is None:
            raise InputError(
                f"{path} has no class: its name is not of the form CLASS_NUMBER",
                mend="sort the pictures into one folder per class",
            )
        labels[path] = match["label"].rstrip("_-")
    return labels


def class_names(folder: Path, files: Sequence[str]) -> list[str]:
    """The class of each file by its folder or flat name; empty names where the layout has none."""
    try:
        labels = _labels_of(folder, [folder / file for file in files])
    except InputError:
        return [""] * len(files)
    return [labels[folder / file] for file in files]


def _decode(
    folder: Path,
    paths: Sequence[Path],
    contract: InputContract,
    *,
    strict: bool,
    progress: Progress | None,
) -> PictureSet:
    preprocess = Preprocessor(contract)
    images = np.empty((len(paths), *contract.shape), np.uint8)
    files: list[str] = []
    hashes: list[str] = []
    skipped: list[Skipped] = []
    sizes: Counter[tuple[int, int]] = Counter()
    for number, path in enumerate(paths):
        name = path.relative_to(folder).as_posix()
        try:
            data = path.read_bytes()
            gray = decode_gray(data)
        except (FrameError, OSError) as error:
            reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            if strict:
                raise InputError(
                    f"{path} cannot be used: {reason}",
                    mend="repair or remove the file, or leave out --strict",
                ) from error
            skipped.append(Skipped(name, reason))
            continue
        preprocess(gray, images[len(files)])
        sizes[gray.shape[0], gray.shape[1]] += 1
        files.append(name)
        hashes.append(hashlib.sha256(data).hexdigest())
        if progress is not None:
            progress(number + 1, len(paths))
    if not files:
        raise InputError(
            f"none of the {len(paths)} files in {folder} is a picture "
            f"({skipped[0].file}: {skipped[0].reason})",
            mend="give a folder of JPEG, PNG, BMP or TIFF files",
        )
    _refuse_odd_sizes(folder, sizes, strict=strict)
    return PictureSet(
        images=images[: len(files)],
        files=files,
        hashes=hashes,
        skipped=skipped,
        sizes=dict(sizes),
    )


def _refuse_odd_sizes(folder: Path, sizes: Counter[tuple[int, int]], *, strict: bool) -> None:
    if strict and len(sizes) > 1:
        (usual, _), (odd, count) = sizes.most_common(2)
        raise InputError(
            f"{folder} holds {count} picture(s) of {odd[0]}x{odd[1]} among pictures of "
            f"{usual[0]}x{usual[1]}",
            mend="remove them, or leave out --strict to have them stretched",
        )
