"""The heat-map graph of a bundle: its file, its outputs, and where its cells look.

It stands beside the precisions and repeats the FP32 network, so that the graphs that judge frames
have two outputs whether there are heat maps or not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from runtime.errors import InputError

HEAT_MAPS_FILE = "heat_maps.onnx"
ACTIVATION_OUTPUTS = ("probabilities", "activation")
"""float32 N×C, and float32 N×C×h×w: each cell's share of the logits."""

METADATA_KEY = "edgecl.cells"


@dataclass(frozen=True)
class Cells:
    """Places of a feature map's cells in the model's input, the same along both sides.

    A cell looks at a field of pixels around a centre. With padding on both sides of a strided
    layer the first centre is the first pixel, not half a cell further in.

    Args:
        stride: pixels from centre to centre.
        first: the first centre, in pixels; 0 is the middle of the first pixel.
    """

    stride: float
    first: float

    def to_metadata(self) -> dict[str, str]:
        """Return them as ONNX `metadata_props`."""
        return {METADATA_KEY: json.dumps(asdict(self))}

    @classmethod
    def from_metadata(cls, props: Mapping[str, str], *, where: str) -> Cells:
        """Read what `to_metadata` gave.

        Raises:
            InputError: there is no such entry, or none that can be.
        """
        try:
            entry = json.loads(props[METADATA_KEY])
            cells = cls(float(entry["stride"]), float(entry["first"]))
            if not 0 < cells.stride < float("inf") or not abs(cells.first) < float("inf"):
                raise ValueError(f"a stride of {cells.stride}, a first centre of {cells.first}")
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise InputError(
                f"{where} is not a heat-map graph ({type(error).__name__}: {error})",
                hint="export the model again with 'edgecl export --heat-maps'",
            ) from error
        return cells
