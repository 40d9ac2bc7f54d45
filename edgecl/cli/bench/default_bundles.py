"""The bundles that `edgecl bench` measures where none is named: those of the demo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runtime.errors import InputError

DEMO = "demo"
"""Folder that `edgecl demo` writes to by default, and start of the names of others like it."""

MARK = ".edgecl-demo"
ENCODERS = ("convnet", "shufflenet")
"""The demo's encoders; the first is what the other is compared with."""


def bundles_or_demo(bundles: Sequence[Path], here: Path = Path()) -> tuple[Path, ...]:
    """Return the bundles that were named, else the newest demo's ConvNet and ShuffleNet.

    Raises:
        InputError: none was named, and there is no finished demo here.
    """
    if bundles:
        return tuple(bundles)
    demos = [
        (marked.stat().st_mtime_ns, found)
        for marked in sorted(here.glob(f"{DEMO}*/{MARK}"))
        if len(found := _bundles(marked.parent)) == len(ENCODERS)
    ]
    if not demos:
        raise InputError(
            "no bundle given, and no demo's bundles are here to compare instead",
            hint="pass one: edgecl bench NAME.edgecl, or make two with 'edgecl demo'",
        )
    return max(demos)[1]


def _bundles(folder: Path) -> tuple[Path, ...]:
    paths = (folder / f"{name}.edgecl" for name in ENCODERS)
    return tuple(path for path in paths if path.is_dir())
