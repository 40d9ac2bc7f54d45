"""Heat maps of `edgecl run`: the writer of a stream, from the bundle's graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runtime.errors import InputError

if TYPE_CHECKING:
    from runtime.artifact.bundle import Bundle
    from runtime.image.view import FrameView
    from runtime.stream.heat_maps import HeatMapWriter
    from runtime.stream.rules import Rules


def open_heat_maps(
    model: Bundle | Path, most: int | None, rules: Rules, view: FrameView, folder: Path
) -> HeatMapWriter | None:
    """Return what writes the heat maps of a stream's rejects; None where none are wanted.

    Args:
        model: the bundle, verified or its path.
        most: how many are kept.
        rules: that the stream judges by.
        view: what the session sees of frames.
        folder: the stream's.

    Raises:
        InputError: the model is a single file, or a bundle without a heat-map graph.
    """
    if most is None:
        return None
    from runtime.artifact.bundle import load_bundle
    from runtime.session.activation import open_activation
    from runtime.stream.heat_maps import HeatMapWriter

    if isinstance(model, Path):
        if model.suffix in (".onnx", ".engine"):
            raise InputError(
                f"--heat-maps needs a bundle, but {model} is a single file",
                hint="pass the bundle to --model",
            )
        model = load_bundle(model)
    session = open_activation(model)
    contract = rules.applied_to(session.contract)
    return HeatMapWriter(session, contract, folder, most, bits=rules.bits, view=view)
