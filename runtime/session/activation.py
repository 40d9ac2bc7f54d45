"""Session of a bundle's heat-map graph, for the few frames that are rejected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.bundle import Bundle
from runtime.artifact.contract import INPUT_NAME, ModelContract
from runtime.artifact.heat_maps import ACTIVATION_OUTPUTS, HEAT_MAPS_FILE, Cells
from runtime.errors import InputError
from runtime.session.base import TILES_AT_ONCE, batch_sizes
from runtime.session.spec import ONNXRUNTIME


class ActivationSession:
    """The heat-map graph in onnxruntime, in the calling thread. Use it from one thread at a time.

    Args:
        path: the ONNX file.

    Attributes:
        contract: labels and input of the model.
        cells: where the cells of its maps look.

    Raises:
        InputError: onnxruntime is not installed, or the file is no heat-map graph.
    """

    def __init__(self, path: Path) -> None:
        ONNXRUNTIME.require()
        import onnxruntime as ort

        options = ort.SessionOptions()
        # One thread, the caller's own: the others belong to the frames that wait for a verdict.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session: Any = ort.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own classes share no base below Exception
            raise InputError(
                f"{path} is not a graph that onnxruntime {ort.__version__} can load",
                hint="copy the bundle again, or export it again",
            ) from error
        props = self._session.get_modelmeta().custom_metadata_map
        self.contract = ModelContract.from_metadata(props, where=str(path))
        self.cells = Cells.from_metadata(props, where=str(path))

    def run(self, tiles: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run any number of tiles.

        Args:
            tiles: uint8, T×1×h×w, as the contract says.

        Returns:
            Probabilities, float32 T×C, and each cell's share of the logits, float32 T×C×h×w.
        """
        parts, done = [], 0
        for count in batch_sizes(len(tiles), TILES_AT_ONCE):
            batch = tiles[done : done + count]
            parts.append(self._session.run(list(ACTIVATION_OUTPUTS), {INPUT_NAME: batch}))
            done += count
        probabilities, activation = zip(*parts, strict=True)
        return np.concatenate(probabilities), np.concatenate(activation)


def open_activation(bundle: Bundle) -> ActivationSession:
    """Open the heat-map graph of a verified bundle.

    Raises:
        InputError: the bundle has none, or one of another model.
    """
    if HEAT_MAPS_FILE not in bundle.manifest.files:
        raise InputError(
            f"{bundle.path} has no heat-map graph",
            hint="export it again with 'edgecl export --heat-maps'",
        )
    session = ActivationSession(bundle.path / HEAT_MAPS_FILE)
    ours, theirs = bundle.contract, session.contract
    if (ours.labels, ours.input) != (theirs.labels, theirs.input):
        raise InputError(
            f"{bundle.path / HEAT_MAPS_FILE} belongs to another model than the bundle",
            hint="export the model again",
        )
    return session
