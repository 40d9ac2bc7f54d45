"""Camera of a configuration: a file or folder belongs to the config's folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

_NO_FILE = re.compile(r"\d{1,4}|[A-Za-z][A-Za-z0-9+.-]*:.*|.* ! .*|demo|\s*", re.DOTALL)


def source_beside(text: str, folder: Path) -> str:
    """The camera, with the path of a file or folder below `folder`.

    Indexes, addresses, pipelines, `demo` and `NAME:TARGET` stay as they are, unless there is a file
    of that name.
    """
    path = folder / text
    if text != "demo" and text.strip() and os.path.lexists(path):
        return str(path)
    return text if _NO_FILE.fullmatch(text) else str(path)
