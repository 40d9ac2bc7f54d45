"""GStreamer and OpenVINO in one process: a pipeline is opened first, then the model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from runtime.camera import open_camera
from runtime.session import open_session
with open_camera("videotestsrc num-buffers=3 ! video/x-raw,format=GRAY8 ! appsink") as camera:
    assert camera.read() is not None
    with open_session("tiny.edgecl", engine="openvino") as session:
        print(session.engine)
"""


def test_a_model_is_compiled_after_a_pipeline_was_opened(gi_importable, make_bundle, tmp_path):
    pytest.importorskip("openvino")
    make_bundle(tmp_path / "tiny.edgecl")
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", PROGRAM],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == "openvino"
