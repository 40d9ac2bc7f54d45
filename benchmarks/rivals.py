"""What others make of the same network: torch as it is and compiled, OpenVINO's own quantiser.

Each is an object whose `infer` takes a uint8 image, 1×1×H×W, as a session's does. What is not
installed is left out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Rival:
    """A compiled network.

    Args:
        run: called with a uint8 image, 1×1×H×W.
    """

    def __init__(self, run: Any) -> None:
        self._run = run

    def infer(self, image: NDArray[np.uint8]) -> Any:
        """Return the answers."""
        return self._run(image)


def torch_rivals(
    classifier: Any, size: tuple[int, int], threads: int
) -> Iterator[tuple[str, Rival]]:
    """Yield the network in torch, eager and compiled, where a C++ compiler is there.

    Args:
        classifier: maps uint8 N×1×H×W to (logits, embedding), in evaluation mode.
        size: (height, width) of its input.
        threads: of torch, in the whole process.
    """
    import torch

    from export.stages.onnx_graph import Deployable

    torch.set_num_threads(threads)
    module = Deployable(classifier).eval()

    def runner(network: Any) -> Rival:
        def run(image: NDArray[np.uint8]) -> Any:
            with torch.inference_mode():
                return network(torch.from_numpy(image))

        return Rival(run)

    yield "eager", runner(module)
    logging.getLogger("torch").setLevel(logging.ERROR)
    compiled = runner(torch.compile(module))
    try:
        compiled.infer(np.zeros((1, 1, *size), np.uint8))
    except Exception as error:  # whatever its compiler says
        print(f"torch.compile is left out: {str(error).splitlines()[0]}")
    else:
        yield "compiled", compiled


def nncf_rival(graph: Path, images: Sequence[NDArray[np.uint8]], threads: int) -> Rival | None:
    """Return the FP32 graph as NNCF quantises it for OpenVINO, with its defaults.

    Args:
        graph: the ONNX file, as torch exports it.
        images: to calibrate with, uint8 1×1×H×W each.
        threads: of inference.

    Returns:
        None where OpenVINO or NNCF is not installed.
    """
    try:
        import nncf
        import openvino as ov
    except ImportError:
        return None
    from runtime.session.openvino import compile_options

    nncf.set_log_level(logging.ERROR)
    core = ov.Core()
    model = core.read_model(str(graph))
    model.reshape(list(images[0].shape))
    quantised = nncf.quantize(model, nncf.Dataset(list(images)), subset_size=len(images))
    request = core.compile_model(quantised, "CPU", compile_options(threads)).create_infer_request()
    return Rival(lambda image: request.infer([image]))
