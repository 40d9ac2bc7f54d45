"""Plug-ins: what installed packages add is found by name and cannot replace what is built in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runtime.camera import CAMERAS, open_camera
from runtime.errors import InputError
from runtime.plugins import Plugins
from runtime.stream.sinks import SINKS, open_sink

CODE = """
import json
import numpy as np
from pathlib import Path
from runtime.camera import Camera, Frame
from runtime.stream.sinks import Sink

class Stack(Camera):
    live = False
    def __init__(self, path):
        self.name = f"numpy file {path}"
        self._frames = iter(enumerate(np.load(path)))
    def read(self):
        number, pixels = next(self._frames, (0, None))
        return None if pixels is None else Frame(number, pixels, 1, 1)

class Log(Sink):
    name = "log"
    def __init__(self, path): self.path = path
    def emit(self, verdict): ...

def open_stack(request): return Stack(Path(request.source.target))
def open_gone(request): raise ConnectionRefusedError(111, "Connection refused")
def open_log(request): return Log(request.file("a file name, as in log:x.txt"))
raise_ = 0
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with plug-ins, one of them broken, one of a name that is taken."""
    site = tmp_path / "site"
    info = site / "acme-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "acme_plugins.py").write_text(CODE)
    (site / "acme_broken.py").write_text("import a_driver_that_is_not_there\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[edgecl.cameras]\nstack = acme_plugins:open_stack\nbroken = acme_broken:x\n"
        "demo = acme_plugins:open_stack\ngone = acme_plugins:open_gone\n"
        "[edgecl.sinks]\nlog = acme_plugins:open_log\ngone = acme_plugins:open_gone\n"
    )
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_camera_of_a_package_is_opened_by_its_name(package):
    np.save(package / "f.npy", np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4))
    with open_camera("stack:f.npy") as camera:
        frames = list(iter(camera.read, None))
    assert [frame.number for frame in frames] == [0, 1]
    with open_camera("stack:f.npy", fps=500) as paced:
        assert "at 500 frames/s" in paced.name


def test_what_exists_goes_before_a_plug_in(package):
    (package / "stack:line.avi").write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        open_camera("stack:line.avi")


def test_a_plug_in_cannot_replace_what_is_built_in(package):
    assert list(CAMERAS).count("demo") == 1
    assert not CAMERAS.is_added("demo")
    assert open_camera("demo").live


def test_a_package_that_cannot_be_imported_is_named(package):
    with pytest.raises(InputError, match=r"'broken' of the package acme .*a_driver") as caught:
        open_camera("broken")
    assert caught.value.code == "plugin-invalid"


def test_a_sink_of_a_package_writes_into_the_streams_folder(package):
    sink = open_sink("log:x.txt", package / "out")
    sink.close()
    assert sink.name == "log"
    with pytest.raises(InputError, match="has no target; pass a file name"):
        open_sink("log", package)


def test_an_unknown_name_is_refused_with_those_that_there_are(package):
    with pytest.raises(InputError, match=r"unknown sink 'mqqt'; choose from jsonl, .*log"):
        open_sink("mqqt:broker", package)


def test_what_an_opener_raises_is_told_without_the_password(package):
    with pytest.raises(
        InputError, match=r"^--sink gone:mqtt://me:\*\*\*@broker cannot be opened: C"
    ):
        open_sink("gone:mqtt://me:geheim@broker", package)
    with pytest.raises(InputError, match=r"^camera gone:x cannot be opened: Connection") as caught:
        open_camera("gone:x")
    assert caught.value.code == "camera-unavailable"


def test_built_in_names_can_all_be_loaded():
    for table in (CAMERAS, SINKS):
        assert isinstance(table, Plugins)
        assert all(callable(table[name]) for name in table if not table.is_added(name))
