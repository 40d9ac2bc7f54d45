"""INT8 graphs of one network: for the CPU, for OpenVINO where it wants its own, for TensorRT."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from calibration.layers import nodes_of, weighted_layers
from calibration.ranges import Ranges
from export.qdq.cpu import quantize_for_cpu
from export.qdq.lint import require_clean
from export.qdq.tensorrt import quantize_for_tensorrt
from export.stages.artefact import INT8, INT8_OPENVINO, INT8_TENSORRT, OWN_ENGINE, Proposal
from export.stages.graphs import NetworkGraph
from runtime.errors import InputError
from runtime.session.opening import installed_engines


@dataclass(frozen=True)
class Int8Graphs:
    """INT8 graphs of a network.

    Args:
        proposals: the graphs, to be put to the gate.
        refused: by artefact, why there is no graph of it.
    """

    proposals: tuple[Proposal, ...]
    refused: Mapping[str, str] = field(default_factory=dict)


def int8_graphs(
    ranges: Ranges,
    kept: Collection[str],
    fp32: NetworkGraph,
    half: NetworkGraph,
    overflow: str,
) -> Int8Graphs:
    """Quantise a network.

    Args:
        ranges: by tensor of the FP32 graph.
        kept: layers in floating point.
        fp32: quantised for the CPU.
        half: the same in FP16, quantised for TensorRT.
        overflow: why what computes in FP16 may not ship; empty where it may.
    """
    nodes = nodes_of(weighted_layers(fp32.model), list(kept))
    cpu = quantize_for_cpu(fp32.model, ranges, keep=nodes)
    proposals = [Proposal(INT8, cpu, fp32.rewrites)]
    openvino = quantize_for_cpu(fp32.model, ranges, keep=nodes, engine="openvino")
    if openvino != cpu and OWN_ENGINE[INT8_OPENVINO] in installed_engines():
        proposals.append(Proposal(INT8_OPENVINO, openvino, fp32.rewrites))
    try:
        nodes = nodes_of(weighted_layers(half.model), list(kept))
        tensorrt = quantize_for_tensorrt(half.model, ranges, keep=nodes)
        require_clean(tensorrt)
    except InputError as error:  # values beyond FP16, or what TensorRT would not take
        return Int8Graphs(tuple(proposals), {INT8_TENSORRT: overflow or error.problem})
    proposals.append(Proposal(INT8_TENSORRT, tensorrt, half.rewrites, overflow))
    return Int8Graphs(tuple(proposals))
