"""GStreamer of the system for tests: its Python module is found though the environment hides it."""

from __future__ import annotations

import importlib
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.camera.gstreamer.library import gstreamer
from runtime.camera.live.feed import CannotOpen

SYSTEM = Path("/usr/lib/python3/dist-packages/gi")
PACKAGES = "python3-gi gir1.2-gst-plugins-base-1.0 gstreamer1.0-plugins-good"


@pytest.fixture(scope="session")
def gi_importable(tmp_path_factory) -> Iterator[None]:
    """Let `gi` be imported from the system's packages, and none of its neighbours.

    It is the same code for every Python of one minor version.
    """
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    link = None
    try:
        importlib.import_module("gi")
    except ImportError:
        if not list(SYSTEM.glob(f"*{suffix}")):
            pytest.skip(f"install {PACKAGES}; Python's version must be the system's, too")
        link = tmp_path_factory.mktemp("gi")
        (link / "gi").symlink_to(SYSTEM)
        sys.path.append(str(link))
        importlib.invalidate_caches()
    gstreamer.cache_clear()
    try:
        gstreamer()
    except CannotOpen as refusal:
        pytest.skip(f"install {PACKAGES}: {refusal}")
    yield
    if link is not None:
        sys.path.remove(str(link))
