"""Q/DQ that TensorRT refuses, or takes and then runs slowly: found in the graph, node by node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from runtime.errors import InputError

OPSET = 19
QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
LAYERS = ("Conv", "Gemm", "MatMul")
# Behind a layer, these become one kernel with it.
ACTIVATIONS = ("Relu", "Clip", "LeakyRelu", "Sigmoid")


@dataclass(frozen=True)
class Breach:
    """One finding of the lint.

    Args:
        rule: a key of `RULES`.
        node: the node's name, or its first output's where it has none.
        problem: what is wrong with it.
        hint: what to do.
    """

    rule: str
    node: str
    problem: str
    hint: str

    def __str__(self) -> str:
        return f"{self.node} breaks the rule '{self.rule}': {self.problem}"


def lint(model: onnx.ModelProto) -> list[Breach]:
    """List everything in `model` that TensorRT's Q/DQ rules forbid, in graph order by rule."""
    graph = _Graph(model)
    return [
        Breach(rule, _name(node), problem, entry.hint)
        for rule, entry in RULES.items()
        for node, problem in entry.check(graph)
    ]


def require_clean(model: onnx.ModelProto) -> None:
    """Refuse a graph in which `lint` finds something.

    Raises:
        InputError: with the first finding, and how many there are.
    """
    findings = lint(model)
    if findings:
        more = f" (and {len(findings) - 1} more findings)" if len(findings) > 1 else ""
        raise InputError(
            f"TensorRT does not support this Q/DQ placement: {findings[0]}{more}",
            hint=findings[0].hint,
        )


Problems = Iterator[tuple[onnx.NodeProto, str]]


class _Graph:
    """A graph's nodes by what they make and read."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.nodes = list(model.graph.node)
        self.pairs = [node for node in self.nodes if node.op_type in (QUANTIZE, DEQUANTIZE)]
        self.maker = {name: node for node in self.nodes for name in node.output}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.nodes:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)

    @cached_property
    def tensors(self) -> dict[str, TensorProto]:
        """Constants, also those that a Constant node makes."""
        found = {tensor.name: tensor for tensor in self.model.graph.initializer}
        for node in self.nodes:
            if node.op_type == "Constant":
                found.update((node.output[0], a.t) for a in node.attribute if a.name == "value")
        return found

    def constant(self, name: str) -> NDArray[np.generic] | None:
        """The value of a constant tensor."""
        tensor = self.tensors.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def source(self, name: str) -> str:
        """The tensor before the pair that makes `name`, or `name` itself."""
        for kind in (DEQUANTIZE, QUANTIZE):
            node = self.maker.get(name)
            if node is None or node.op_type != kind:
                return name
            name = node.input[0]
        return name

    def quantized(self, name: str) -> bool:
        """Whether a DequantizeLinear makes this tensor."""
        return name in self.maker and self.maker[name].op_type == DEQUANTIZE


def _opset(graph: _Graph) -> Problems:
    opset = max(
        (entry.version for entry in graph.model.opset_import if entry.domain in ("", "ai.onnx")),
        default=0,
    )
    for node in graph.pairs:
        scale = graph.tensors.get(node.input[1])
        half = scale is not None and scale.data_type == TensorProto.FLOAT16
        if half and opset < OPSET:
            yield node, f"its scale is FP16 in a graph of opset {opset}"


def _type(graph: _Graph) -> Problems:
    for node in graph.pairs:
        kind = _quantized_type(graph, node)
        if kind == TensorProto.INT32 and _is_bias(graph, node):
            continue
        if kind != TensorProto.INT8:
            name = helper.tensor_dtype_to_string(kind).removeprefix("TensorProto.")
            yield node, f"it holds {name}"


def _zero_point(graph: _Graph) -> Problems:
    for node in graph.pairs:
        zero = graph.constant(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        if zero is not None and np.any(zero):
            yield node, f"its zero point is {np.ravel(zero)[np.flatnonzero(zero)[0]]}"


def _constant(graph: _Graph) -> Problems:
    for node in graph.pairs:
        for name, what in zip(node.input[1:3], ("scale", "zero point"), strict=False):
            if name and name not in graph.tensors:
                yield node, f"its {what} is computed"


def _positive(graph: _Graph) -> Problems:
    for node in graph.pairs:
        scale = graph.constant(node.input[1])
        if scale is not None:
            wrong = np.ravel(scale)[~((np.ravel(scale) > 0) & np.isfinite(np.ravel(scale)))]
            if wrong.size:
                yield node, f"its scale is {wrong[0]:g}"


def _activation(graph: _Graph) -> Problems:
    for node in graph.pairs:
        scale = graph.constant(node.input[1])
        if scale is None or scale.size == 1 or graph.source(_input(node)) in graph.tensors:
            continue
        if node.op_type == QUANTIZE or graph.source(node.output[0]) not in graph.tensors:
            yield node, f"an activation with {scale.size} scales"


def _axis(graph: _Graph) -> Problems:
    for layer in graph.nodes:
        if layer.op_type != "Conv" or not graph.quantized(layer.input[1]):
            continue
        for node in _pair(graph, layer.input[1]):
            scale = graph.constant(node.input[1])
            axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
            if scale is not None and scale.size > 1 and axis != 0:
                yield node, f"its convolution weights are quantised along axis {axis}"


def _bias(graph: _Graph) -> Problems:
    for node in graph.pairs:
        if node.op_type == DEQUANTIZE and _is_bias(graph, node):
            yield node, "it feeds a bias"


def _paired(graph: _Graph) -> Problems:
    for node in graph.pairs:
        if node.op_type == QUANTIZE:
            readers = graph.readers.get(node.output[0], [])
            others = [reader for reader in readers if reader.op_type != DEQUANTIZE]
            if others or not readers:
                what = f"{_name(others[0])} reads it" if others else "nothing reads it"
                yield node, f"no DequantizeLinear follows; {what}"
            continue
        before = graph.maker.get(node.input[0])
        if before is None or before.op_type != QUANTIZE:
            if node.input[0] not in graph.tensors:
                yield node, "no QuantizeLinear before it"
        elif not _same_scale(graph, before, node):
            yield node, f"its scale differs from that of {_name(before)}"


def _both(graph: _Graph) -> Problems:
    for layer in graph.nodes:
        if layer.op_type in LAYERS:
            data, weight = (graph.quantized(name) for name in layer.input[:2])
            if weight and not data:
                yield layer, "its weights are quantised, its input is not"
            if data and not weight and graph.source(layer.input[1]) in graph.tensors:
                yield layer, "its input is quantised, its weights are not"


def _output(graph: _Graph) -> Problems:
    for node in graph.pairs:
        maker = graph.maker.get(node.input[0])
        if node.op_type != QUANTIZE or maker is None or maker.op_type not in LAYERS:
            continue
        readers = [
            reader
            for dequantize in graph.readers.get(node.output[0], [])
            for reader in graph.readers.get(dequantize.output[0], [])
        ]
        blocked = [reader for reader in readers if reader.op_type in ACTIVATIONS]
        if blocked:
            between = f"{_name(maker)} and {_name(blocked[0])}"
            yield node, f"it separates {between}, which TensorRT would fuse into one kernel"
        elif not readers:
            yield node, f"it rounds the output of {_name(maker)}, a graph output"


@dataclass(frozen=True)
class QdqRule:
    """One rule.

    Args:
        check: yields the nodes that break it, and how.
        hint: what to do.
        effect: what breaking it does. `refused` and `misread` were seen with TensorRT for RTX 1.7;
            `invalid` is what ONNX itself refuses; `slow` is NVIDIA's documentation, "Working with
            Quantized Types", of files that build and lose what quantisation is for.
    """

    check: Callable[[_Graph], Problems]
    hint: str
    effect: str


RULES: dict[str, QdqRule] = {
    "opset 19 for FP16": QdqRule(_opset, f"export with opset {OPSET} or newer", "invalid"),
    # Unsigned tensors are read as signed ones, with a warning in the builder's log.
    "int8": QdqRule(_type, "quantise to int8, with an int8 zero point", "misread"),
    "zero point 0": QdqRule(_zero_point, "quantise symmetrically, with zero point 0", "refused"),
    "positive scale": QdqRule(_positive, "use a positive, finite scale", "refused"),
    "no bias": QdqRule(_bias, "leave the bias in floating point", "refused"),
    "constant scale": QdqRule(_constant, "make scale and zero point constants", "slow"),
    "one scale per activation": QdqRule(
        _activation, "use one scale per activation; only weights may have more", "slow"
    ),
    "axis 0": QdqRule(_axis, "quantise a convolution's weights per output channel, axis 0", "slow"),
    "pairs": QdqRule(
        _paired, "put one DequantizeLinear with the same scale after every QuantizeLinear", "slow"
    ),
    "both or neither": QdqRule(
        _both, "quantise both input and weights of a layer, or neither", "slow"
    ),
    "inputs, not outputs": QdqRule(
        _output, "quantise the input of the next layer, after the activation", "slow"
    ),
}


def _name(node: onnx.NodeProto) -> str:
    return str(node.name or node.output[0])


def _input(node: onnx.NodeProto) -> str:
    return str(node.input[0])


def _quantized_type(graph: _Graph, node: onnx.NodeProto) -> int:
    """The type that a pair's node holds; ONNX's default where no zero point tells."""
    for name in (*node.input[2:3], node.input[0] if node.op_type == DEQUANTIZE else ""):
        if name in graph.tensors:
            return int(graph.tensors[name].data_type)
    before = graph.maker.get(node.input[0])
    if node.op_type == DEQUANTIZE and before is not None and before.op_type == QUANTIZE:
        return _quantized_type(graph, before)
    return int(TensorProto.UINT8)


def _is_bias(graph: _Graph, node: onnx.NodeProto) -> bool:
    return any(
        reader.op_type in ("Conv", "Gemm") and list(reader.input[2:3]) == [node.output[0]]
        for reader in graph.readers.get(node.output[0], [])
    )


def _pair(graph: _Graph, name: str) -> list[onnx.NodeProto]:
    """The nodes of the pair that makes `name`."""
    dequantize = graph.maker[name]
    before = graph.maker.get(dequantize.input[0])
    quantize = [before] if before is not None and before.op_type == QUANTIZE else []
    return [*quantize, dequantize]


def _same_scale(graph: _Graph, first: onnx.NodeProto, second: onnx.NodeProto) -> bool:
    if first.input[1] == second.input[1]:
        return True
    one, two = graph.constant(first.input[1]), graph.constant(second.input[1])
    return one is None or two is None or np.array_equal(one, two)
