"""All rewrites, in the order in which they serve each other."""

from __future__ import annotations

from collections.abc import Callable

import onnx

from export.rewrites.channel_filling import fill_channels
from export.rewrites.channel_shuffles import remove_channel_shuffles

Rewrite = Callable[[onnx.ModelProto], onnx.ModelProto]

REWRITES: dict[str, Rewrite] = {
    "channel-shuffles-removed": remove_channel_shuffles,
    "channels-filled": fill_channels,
}
"""Rewrites by name."""


def apply(model: onnx.ModelProto) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """Apply every rewrite that concerns `model`.

    Args:
        model: the FP32 or FP16 graph, as `to_onnx` gives it; it is not changed.

    Returns:
        A checked model of the same function with the metadata of `model`, and the names of the
        rewrites that did something; `model` itself and none where none did.
    """
    applied = []
    for name, rewrite in REWRITES.items():
        rewritten = rewrite(model)
        if rewritten is not model:
            applied.append(name)
            model = rewritten
    if applied:
        onnx.checker.check_model(model, full_check=True)
    return model, tuple(applied)
