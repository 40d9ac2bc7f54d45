"""Folders of engines: in their bundle, or in the user's cache."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from runtime.errors import InputError
from runtime.files.user_cache import user_cache

ENGINES = "engines"


def engine_folders(bundle: Path, *, own_only: bool = False) -> tuple[Path, ...]:
    """The folders of a bundle's engines, the preferred one first; they need not exist.

    Args:
        bundle: its folder.
        own_only: leave the bundle's own folder out. A bundle's signature covers its models, not
            the engines that lie beside them, and an engine is code that the GPU's driver and
            TensorRT run: whoever verifies signatures takes only what this box has built itself.

    Raises:
        InputError: `own_only`, and this user has no cache.
    """
    own = _own_folder(bundle)
    if own is None and own_only:
        raise InputError(
            "locally built engines are kept in the user's cache, but this user has no home "
            "directory",
            hint="set XDG_CACHE_HOME to a private folder",
        )
    owned = () if own is None else (own,)
    return owned if own_only else (bundle / ENGINES, *owned)


def writable_folder(folders: Sequence[Path]) -> Path:
    """The first folder that can be written; it is made.

    Raises:
        InputError: none can.
    """
    refused = ""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        except OSError as error:
            refused = f"{folder}: {error.strerror or error}"
            continue
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
        refused = f"{folder} is not writable"
    raise InputError(
        f"no folder for engines ({refused})",
        hint="make the bundle's folder writable, or set XDG_CACHE_HOME to a writable folder",
    )


def require_private(folder: Path) -> None:
    """Check that no other user can put an engine into a folder; an absent one is fine.

    Raises:
        InputError: it belongs to another user, or others may write to it.
    """
    try:
        found = folder.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(
            f"{folder} cannot be accessed ({error.strerror})", hint="fix its permissions"
        ) from error
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise InputError(
            f"{folder} is writable by other users, so engines in it cannot be trusted",
            hint=f"chown it to the user who runs edgecl, and run chmod go-w {folder}",
        )


def _own_folder(bundle: Path) -> Path | None:
    cache = user_cache(ENGINES)
    if cache is None:
        return None
    # By place, not by name alone: two bundles of one name are two models.
    place = hashlib.sha256(os.fsencode(bundle.resolve())).hexdigest()[:12]
    return cache / f"{bundle.resolve().stem}-{place}"
