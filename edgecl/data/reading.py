"""Reading of labelled and unlabelled folders, in common layouts, into memory."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecl.data.dataset import ImageSet, Skipped
from edgecl.data.pixels.selection import Stored, joined
from edgecl.data.pixels.store import new_store
from edgecl.data.pixels.tiled import TiledStore
from runtime.artifact.contract import InputContract
from runtime.artifact.tiling import Tiling
from runtime.errors import FrameError, InputError
from runtime.image.decode import decode_image, read_encoded
from runtime.image.depth import DEPTHS, depth_of
from runtime.image.folder.class_folders import refuse_lost_labels
from runtime.image.folder.labelled import find_labelled, find_unlabelled
from runtime.image.folder.layouts import Layout
from runtime.image.preprocess import Preprocessor
from runtime.image.survey import depth_note, shallow_note, survey_depth
from runtime.image.tiles import to_scale
from runtime.image.view import FrameView, FrameViewer, cropped
from runtime.progress import CountProgress


def read_labelled(
    folder: Path,
    contract: InputContract,
    *,
    view: FrameView | None = None,
    strict: bool = False,
    progress: CountProgress | None = None,
) -> ImageSet:
    """Read a labelled folder: one per class, flat names like `crazing_12.jpg`, or a public set's.

    Every image is its own group until groups are set.

    Args:
        folder: the class folders, or the images.
        contract: the size that images are brought to, as on the line.
        view: what of an image is seen; what the contract says without it.
        strict: refuse a set with a broken file or an odd size instead of going on.

    Raises:
        InputError: no images, names without a class, one class only, a class of which nothing
            could be read, a damaged table of labels, or (strict) a broken or missing file.
    """
    layout, labels = find_labelled(folder, strict=strict)
    view = view or FrameView.of(contract)
    dataset = _decode(layout, contract, view, strict=strict, progress=progress)
    kept = [labels[file] for file in dataset.files]
    refuse_lost_labels(
        str(folder),
        list(labels.values()),
        kept,
        [(labels[item.file], f"{item.file}: {item.reason}") for item in dataset.skipped],
    )
    names = tuple(sorted(set(kept)))
    if len(names) < 2:
        raise InputError(
            f"{folder} contains only one class ({names[0]})",
            hint="add a folder for each class, or pass it as --unlabelled",
        )
    index = {name: number for number, name in enumerate(names)}
    return replace(
        dataset,
        labels=names,
        targets=np.array([index[label] for label in kept], np.int64),
        groups=list(dataset.files),
    )


def read_unlabelled(
    folders: Iterable[Path],
    contract: InputContract,
    *,
    view: FrameView | None = None,
    strict: bool = False,
    progress: CountProgress | None = None,
) -> ImageSet:
    """Read every image under `folders`, in whatever layout, without labels.

    Raises:
        InputError: a folder without images, or (strict) a broken file.
    """
    view = view or FrameView.of(contract)
    sets = [
        _decode(
            find_unlabelled(folder, strict=strict), contract, view, strict=strict, progress=progress
        )
        for folder in folders
    ]
    sizes: Counter[tuple[int, int]] = Counter()
    for dataset in sets:
        sizes.update(dataset.sizes)
    return ImageSet(
        images=joined([p.images for p in sets], contract),
        files=[file for p in sets for file in p.files],
        hashes=[digest for p in sets for digest in p.hashes],
        skipped=[skipped for p in sets for skipped in p.skipped],
        sizes=dict(sizes),
        notes=[note for p in sets for note in p.notes],
    )


def _decode(
    layout: Layout,
    contract: InputContract,
    view: FrameView,
    *,
    strict: bool,
    progress: CountProgress | None,
) -> ImageSet:
    """Decode a set's images, in the depth that was given or that the set shows."""
    bits = contract.bits or view.deep_bits or survey_depth(layout.paths).bits
    while True:
        try:
            return _decode_all(
                layout,
                replace(contract, bits=bits),
                view,
                given=contract.bits is not None,
                strict=strict,
                progress=progress,
            )
        except _DeeperError as deeper:  # than the images that were looked at first
            bits = deeper.bits


class _DeeperError(Exception):
    def __init__(self, bits: int) -> None:
        super().__init__(bits)
        self.bits = bits


def _decode_all(
    layout: Layout,
    contract: InputContract,
    view: FrameView,
    *,
    given: bool,
    strict: bool,
    progress: CountProgress | None,
) -> ImageSet:
    folder, paths = layout.root, layout.paths
    store = _store(contract, view, len(paths))
    files: list[str] = []
    hashes: list[str] = []
    skipped: list[Skipped] = []
    sizes: Counter[tuple[int, int]] = Counter()
    depths: Counter[int] = Counter()
    decoded = 0
    for number, path in enumerate(paths):
        name = path.relative_to(folder).as_posix()
        try:
            data = read_encoded(path)
            image = decode_image(data)
            decoded += 1
            seen = cropped(image, view.roi)
            largest = int(seen.max(initial=0))
            if seen.dtype == np.uint16 and view.flat is None:
                depths[_require_depth(path, largest, contract.bits, given)] += 1
            store.add(image)
            if seen.dtype == np.uint16 and view.flat is not None:
                depths[depth_of(largest)] += 1
        except FrameError as error:
            if strict:
                raise InputError(
                    f"{path} cannot be used: {error}",
                    hint="repair or remove the file, or omit --strict",
                ) from error
            skipped.append(Skipped(name, str(error)))
            continue
        sizes[seen.shape[0], seen.shape[1]] += 1
        files.append(name)
        hashes.append(hashlib.sha256(data).hexdigest())
        if progress is not None:
            progress(number + 1, len(paths))
    if not files:
        raise InputError(
            f"none of the {len(paths)} files in {folder} is a "
            f"{'usable' if decoded else 'readable'} image "
            f"({skipped[-1].file}: {skipped[-1].reason})",
            hint="pass a --roi and --flat that suit these images"
            if decoded
            else "pass a folder of JPEG, PNG, BMP or TIFF files",
        )
    if contract.tiling is None:
        refuse_odd_sizes(str(folder), sizes, strict=strict)
    return ImageSet(
        images=store.images(),
        files=files,
        hashes=hashes,
        skipped=skipped,
        sizes=dict(sizes),
        notes=(
            *layout.notes,
            *_depth_notes(folder, depths, contract.bits, given or view.flat is not None),
        ),
        bits=contract.bits if depths else None,
    )


class _StretchedStore:
    """Room for images at the model's size, made at once."""

    def __init__(self, contract: InputContract, view: FrameView, count: int) -> None:
        self._preprocess = Preprocessor(contract, view=view)
        self._images = new_store((count, *contract.shape))
        self._count = 0

    def add(self, gray: NDArray[np.generic]) -> None:
        self._preprocess(gray, self._images[self._count])
        self._count += 1

    def images(self) -> Stored:
        return self._images[: self._count]


class _ScaledStore:
    """Room for images at the tiles' scale."""

    def __init__(self, contract: InputContract, view: FrameView, tiling: Tiling) -> None:
        self._see = FrameViewer(view, bits=contract.bits)
        self._tiling = tiling
        self._store = TiledStore()

    def add(self, gray: NDArray[np.generic]) -> None:
        seen = self._see(gray)
        pixels = to_scale(seen, self._tiling.scale)
        # A part of an image would keep the whole of it, and the viewer's buffer is the next one's.
        self._store.add(pixels.copy() if pixels is seen and seen is not gray else pixels)

    def images(self) -> Stored:
        return self._store.images(self._tiling)


def _store(contract: InputContract, view: FrameView, count: int) -> _StretchedStore | _ScaledStore:
    if contract.tiling is None:
        return _StretchedStore(contract, view, count)
    return _ScaledStore(contract, view, contract.tiling)


def _require_depth(path: Path, largest: int, bits: int | None, given: bool) -> int:
    """The depth of one image by its own values; refuse one that is deeper than the set's."""
    own = depth_of(largest)
    if bits is None or largest >> bits:
        if given:
            raise InputError(
                f"{path} has the value {largest}, which does not fit in the {bits} bits of --bits",
                hint=f"use --bits {own}, or omit it to have the depth detected",
            )
        raise _DeeperError(own)
    return own


def _depth_notes(
    folder: Path, depths: Counter[int], bits: int | None, given: bool
) -> tuple[str, ...]:
    if bits is None or not depths:
        return ()
    notes = [] if given or bits == DEPTHS[-1] else [depth_note(bits, f"images in {folder}")]
    shallow = sum(count for own, count in depths.items() if own < bits)
    if shallow and not given:
        notes.append(shallow_note(shallow, depths.total(), bits, f"images in {folder}"))
    return tuple(notes)


def refuse_odd_sizes(where: str, sizes: Mapping[tuple[int, int], int], *, strict: bool) -> None:
    """Refuse images of several sizes where they are to be stretched to one.

    Args:
        where: name of the set.
        sizes: how many images have each (height, width).
        strict: refuse at all.

    Raises:
        InputError: the sizes differ.
    """
    if strict and len(sizes) > 1:
        (usual, _), (odd, count) = Counter(sizes).most_common(2)
        raise InputError(
            f"{where} contains {count} image(s) of {odd[0]}x{odd[1]} among images of "
            f"{usual[0]}x{usual[1]}",
            hint="remove them, or omit --strict to have them stretched",
        )
