"""GStreamer and an inference engine in one process."""

from __future__ import annotations

import subprocess
import sys

import pytest

# OpenVINO throws and catches exceptions while it compiles a model.
BOTH = """
import sys
sys.path += sys.argv[1:]
from runtime.camera import open_camera
camera = open_camera("videotestsrc ! video/x-raw,width=32,height=32 ! appsink")
assert camera.read() is not None
import numpy as np
import openvino as ov
from openvino import opset13 as op
image = op.parameter([1, 1, 32, 32], ov.Type.f32)
kernels = op.constant(np.ones((8, 1, 3, 3), np.float32))
hidden = op.relu(op.convolution(image, kernels, [1, 1], [0, 0], [0, 0], [1, 1]))
model = ov.Core().compile_model(ov.Model([op.result(hidden)], [image]), "CPU")
print(model(np.zeros((1, 1, 32, 32), np.float32))[0].shape)
camera.close()
"""


@pytest.mark.usefixtures("gi_importable")
def test_an_engine_that_is_loaded_after_gstreamer_works():
    pytest.importorskip("openvino")
    done = subprocess.run(
        [sys.executable, "-c", BOTH, *sys.path], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(1, 8, 30, 30)"
