"""A session whose engine is kernels of our own: any NVIDIA GPU will do, without TensorRT.

Each test says what it proves that the double cannot.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.gpu import nets

pytestmark = pytest.mark.gpu

ROOT = Path(__file__).parents[2]

# A process of its own: after a stray write, no call of CUDA works in the one that made it.
STRAY = """
import sys
from pathlib import Path
import runtime.session.tensorrt.session as tensorrt
from export.engine.builder import Batches
from runtime.errors import SessionLostError
from runtime.gpu.memory import open_memory
from tests.gpu import kernel, nets

memory, folder = sys.argv[1], Path(sys.argv[2])
module = kernel.kernel_tensorrt()
tensorrt.load_tensorrt = lambda name: module
path = kernel.write_engine(folder, open_memory(memory).device, Batches(), stray=True)
session = tensorrt.TensorRtSession(path, memory=memory)
for _ in range(2):
    try:
        session.infer(nets.images(1))
    except SessionLostError as error:
        print(error)
session.close()
print("closed", flush=True)
"""


@pytest.mark.parametrize("either", ["kernels"], indirect=True)
@pytest.mark.parametrize("graph", [True, False], ids=["graph", "no graph"])
def test_kernels_answer_for_every_batch(graph, memory, either):
    """Real kernels read what was copied up, at the addresses and in the stream that we gave."""
    from runtime.session.tensorrt.session import TensorRtSession

    batch = nets.images(4)
    means = batch.reshape(4, -1).mean(axis=1) / 255
    with TensorRtSession(either(), precision="fp16", memory=memory, graph=graph) as session:
        for count in (1, 4, 2, 3, 1, 4):
            found = session.infer(batch[:count])
            expected = np.repeat(means[:count, None], 128, axis=1)
            np.testing.assert_allclose(found.embedding, expected, rtol=1e-6)
            labels = np.minimum((means[:count] * 3).astype(int), 2)
            np.testing.assert_array_equal(found.probabilities, np.eye(3)[labels])
        described = session.describe()
    if graph:
        assert described.endswith("CUDA graph")
        assert "no CUDA graph" not in described


@pytest.mark.parametrize("either", ["kernels"], indirect=True)
def test_a_gpu_that_is_gone_ends_the_session_and_not_the_process(memory, either, tmp_path):
    """After a real sticky error every call of the driver fails, those that free things too."""
    done = subprocess.run(
        [sys.executable, "-c", STRAY, memory, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr[-2000:]
    assert lines[-1] == "closed"
    assert "illegal memory access" in lines[0]
    assert len(lines) == 3
