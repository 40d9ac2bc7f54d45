"""Walk of a folder: its images in natural order, and all skipped files with reasons.

Links are followed. A folder that is reached twice is taken once, and not through a link where it
has a place of its own; so loops end, too.
"""

from __future__ import annotations

import errno
import mimetypes
import os
import stat
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from runtime.errors import InputError
from runtime.image.decode import SUFFIXES
from runtime.image.formats.kinds import READ, SNIFFED, image_kind

HIDDEN = "hidden"
NO_IMAGE = "not an image"
BROKEN_LINK = "a broken link"
LOOP = "a link to a parent folder"
TWICE = "a folder that was already read"
IRREGULAR = "a pipe, socket or device"

# What systems leave behind in folders, in lower case.
_HIDDEN_NAMES = frozenset(
    {"__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found"}
    | {"__pycache__", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r"}
)


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that was skipped.

    Args:
        name: relative to the folder that was walked.
        reason: `HIDDEN`, `NO_IMAGE`, …, or what the system says.
        folder: whether it is a folder, or a link that could be one.
        failed: whether it is lost although somebody may have wanted it: no permission, a broken
            link, a disk's error.
        other: the name under which a folder was taken instead, so that nothing of it is lost.
    """

    name: PurePosixPath
    reason: str
    folder: bool = False
    failed: bool = False
    other: PurePosixPath | None = None


@dataclass(frozen=True)
class Walk:
    """Content of a folder.

    Args:
        root: the folder.
        images: names relative to it, in natural order; by their suffix, or by their content.
        left_out: all else, in natural order. What lies in a hidden folder counts with it.
        folders: every folder that was entered, without the root.
    """

    root: Path
    images: Sequence[PurePosixPath]
    left_out: Sequence[LeftOut]
    folders: Sequence[PurePosixPath]


def walk_images(folder: Path, *, strict: bool = False) -> Walk:
    """Find every image under `folder`, and everything else.

    Only files without a suffix of images are opened, for their first bytes; pipes never.

    Raises:
        InputError: the folder is none, or cannot be read; or (strict) something in it cannot.
    """
    try:
        if not folder.is_dir():
            what = "is a file" if folder.exists() else "does not exist"
            raise InputError(f"{folder} {what}", hint="pass a folder of images")
        walker = _Walker(folder)
        walker.walk()
    except OSError as error:
        raise InputError(
            f"cannot read {folder}: {error.strerror or error}",
            hint="pass a folder that you can read",
        ) from error
    left_out = sorted(walker.left_out, key=lambda item: natural_key(item.name))
    failed = next((item for item in left_out if item.failed), None)
    if strict and failed is not None:
        raise InputError(
            f"{folder / failed.name} cannot be used: {failed.reason}",
            hint="repair or remove it, or omit --strict",
        )
    return Walk(
        folder,
        sorted(walker.images, key=natural_key),
        left_out,
        sorted(walker.folders, key=natural_key),
    )


def natural_key(path: PurePath) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key under which frame_2 comes before frame_10."""
    key: list[tuple[int, int, str]] = []
    number = ""
    for character in f"{path}/":
        if character.isascii() and character.isdigit():
            number += character
            continue
        if number:
            key.append((0, int(number), ""))
            number = ""
        key.append((1, 0, character))
    # 01 and 1 are one number; their order must not be the disk's.
    return key, str(path)


class _Walker:
    def __init__(self, root: Path) -> None:
        self.images: list[PurePosixPath] = []
        self.left_out: list[LeftOut] = []
        self.folders: list[PurePosixPath] = []
        self._root = root
        self._pending: list[PurePosixPath] = []
        self._links: deque[PurePosixPath] = deque()
        self._taken: dict[tuple[int, int], PurePosixPath] = {}

    def walk(self) -> None:
        """Enter the root, then what is reached through links alone.

        Raises:
            OSError: the root cannot be read.
        """
        self._enter(PurePosixPath())
        self._enter_pending()
        while self._links:
            link = self._links.popleft()
            target, here = (os.path.realpath(self._root / name) for name in (link, link.parent))
            if os.path.commonpath((target, here)) != target:
                self._pending.append(link)
                self._enter_pending()
                continue
            status = (self._root / link).stat()
            other = self._taken.get((status.st_dev, status.st_ino))
            self.left_out.append(LeftOut(link, LOOP, folder=True, other=other))

    def _enter_pending(self) -> None:
        while self._pending:
            name = self._pending.pop()
            try:
                self._enter(name)
            except OSError as error:
                self._fail(name, error, folder=True)

    def _enter(self, name: PurePosixPath) -> None:
        folder = self._root / name
        status = folder.stat()
        other = self._taken.setdefault((status.st_dev, status.st_ino), name)
        # Some network disks number nothing.
        if other != name and status.st_ino:
            self.left_out.append(LeftOut(name, TWICE, folder=True, other=other))
            return
        with os.scandir(folder) as entries:
            children = sorted(entries, key=lambda entry: entry.name)
        if name.parts:
            self.folders.append(name)
        folders = [name / child.name for child in children if self._is_folder(name, child)]
        self._pending += reversed(folders)

    def _is_folder(self, parent: PurePosixPath, entry: os.DirEntry[str]) -> bool:
        """Return whether to enter the folder now, and file it elsewhere if not."""
        name = parent / entry.name
        # A broken link may have been a folder's, unless it is named as a file is.
        unknown = entry.is_symlink() and mimetypes.guess_type(entry.name)[0] is None
        try:
            if _is_hidden(entry.name):
                self.left_out.append(LeftOut(name, HIDDEN, folder=entry.is_dir()))
                return False
            if not entry.is_symlink() and entry.is_dir():
                return True
            kind = stat.S_IFMT(entry.stat().st_mode)
            unknown = False
            self._put(name, kind)
        except OSError as error:
            self._fail(name, error, folder=unknown)
        return False

    def _put(self, name: PurePosixPath, form: int) -> None:
        if form == stat.S_IFDIR:
            self._links.append(name)
        elif form != stat.S_IFREG:
            self.left_out.append(LeftOut(name, IRREGULAR))
        elif name.suffix.lower() in SUFFIXES:
            self.images.append(name)
        else:
            with open(self._root / name, "rb") as stream:
                kind = image_kind(stream.read(SNIFFED), name.suffix.lower())
            if kind in READ:
                self.images.append(name)
            else:
                reason = f"{kind} is not supported" if kind else NO_IMAGE
                self.left_out.append(LeftOut(name, reason))

    def _fail(self, name: PurePosixPath, error: OSError, *, folder: bool) -> None:
        nowhere = error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR)
        reason = error.strerror or str(error)
        if nowhere and (self._root / name).is_symlink():
            reason = BROKEN_LINK
        self.left_out.append(LeftOut(name, reason, folder=folder, failed=True))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _HIDDEN_NAMES
