"""Folder for what a user's programs can make again (XDG base directory specification)."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache(name: str) -> Path | None:
    """The folder `edgecl/NAME` under the user's cache; it need not be there yet.

    None for a user without a home, as in some containers.
    """
    root = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(root) if root.startswith("/") else Path.home() / ".cache"
    except RuntimeError:
        return None
    return base / "edgecl" / name
