"""FP32 and FP16 graphs of one network, rewritten; every precision is made from them."""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from torch import nn

from export import rewrites
from export.stages.half import rounded_once
from export.stages.onnx_graph import to_onnx
from runtime.artifact.contract import ModelContract


@dataclass(frozen=True)
class NetworkGraph:
    """Network as a graph.

    Args:
        exported: as the exporter gave it.
        model: the same function after the rewrites.
        rewrites: names of those that were applied, those of the network before its export first.
    """

    exported: onnx.ModelProto
    model: onnx.ModelProto
    rewrites: tuple[str, ...]


def fp32_graph(
    classifier: nn.Module, contract: ModelContract, earlier: tuple[str, ...]
) -> NetworkGraph:
    """Export a classifier as it is.

    Args:
        classifier: maps uint8 N×1×H×W to (logits, embedding), in evaluation mode.
        contract: the size to export at, and the labels.
        earlier: what was rewritten before, for example `gray-input`.
    """
    return _rewritten(to_onnx(classifier, contract, half=False), earlier)


def half_graph(
    classifier: nn.Module, contract: ModelContract, fp32: NetworkGraph, earlier: tuple[str, ...]
) -> NetworkGraph:
    """Export a classifier in FP16, with the weights of its FP32 graph rounded once."""
    exported = rounded_once(to_onnx(classifier, contract, half=True), fp32.exported)
    return _rewritten(exported, earlier)


def _rewritten(exported: onnx.ModelProto, earlier: tuple[str, ...]) -> NetworkGraph:
    model, applied = rewrites.apply(exported)
    return NetworkGraph(exported, model, (*earlier, *applied))
