"""Camera of a configuration: a file or folder belongs to the config's folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

_NEVER = re.compile(r"\d{1,4}|demo|\s*")
_UNLESS_THERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.*|.* ! .*", re.DOTALL)


def source_beside(text: str, folder: Path) -> str:
    """The camera, with the path of a file or folder below `folder`.

    An index, `demo` and the empty text stay as they are; so do addresses, pipelines and
    `NAME:TARGET`, unless there is a file of that name.
    """
    if _NEVER.fullmatch(text):
        return text
    path = folder / text
    is_file = os.path.lexists(path) or not _UNLESS_THERE.fullmatch(text)
    return str(path) if is_file else text
