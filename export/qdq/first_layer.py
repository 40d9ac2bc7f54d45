"""First convolution, of one or three channels, in a form that INT8 kernels run well.

They take channels in fours or more. With one channel, onnxruntime's spent half of ConvNet's time in
2.4 % of its products. Exact, like the rewrites, but of use before quantisation alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from export.rewrites.graph import attribute, constants, rebuilt, shapes

FEW_CHANNELS = 3
# Kernels take the products of four neighbouring channels at once.
PACKED = 4
# Beyond that, laying out the patches costs more than it saves.
LARGEST_PATCH = 32


@dataclass(frozen=True)
class FirstLayer:
    """The nodes at the start of a network.

    Args:
        convolution: reads one to three channels.
        relu: that follows alone, if one does.
        pool: the max pooling that follows the ReLU alone, if one does.
    """

    convolution: onnx.NodeProto
    relu: onnx.NodeProto | None = None
    pool: onnx.NodeProto | None = None


def first_layer(model: onnx.ModelProto) -> FirstLayer | None:
    """The first convolution, if it reads few channels and all of them at once."""
    weights = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    convolution = next((node for node in model.graph.node if node.op_type == "Conv"), None)
    if convolution is None or attribute(convolution, "group", 1) != 1:
        return None
    dims = weights.get(convolution.input[1])
    if dims is None or len(dims) != 4 or dims[1] > FEW_CHANNELS:
        return None
    relu = _only_reader(model, convolution, "Relu")
    pool = None if relu is None else _only_reader(model, relu, "MaxPool")
    return FirstLayer(convolution, relu, pool)


def pool_before_relu(model: onnx.ModelProto, layer: FirstLayer) -> onnx.ModelProto:
    """Swap the pooling and the ReLU of `layer`: the largest is cut at zero either way.

    onnxruntime moves the quantisation ahead of a pooling in float, where it then pools in plain
    loops; past a ReLU it does not move it. The name of the tensor behind both stays.
    """
    relu, pool = layer.relu, layer.pool
    assert relu is not None
    assert pool is not None
    pooled = f"{pool.output[0]}_before_relu"
    new_pool, new_relu = onnx.NodeProto(), onnx.NodeProto()
    new_pool.CopyFrom(pool)
    new_relu.CopyFrom(relu)
    new_pool.input[0], new_pool.output[0] = relu.input[0], pooled
    new_relu.input[0], new_relu.output[0] = pooled, pool.output[0]
    swapped = {relu.output[0]: new_pool, pool.output[0]: new_relu}
    nodes = [swapped.get(node.output[0], node) for node in model.graph.node]
    return rebuilt(model, nodes, constants(model))


def with_patches(model: onnx.ModelProto, layer: FirstLayer) -> tuple[onnx.ModelProto, str]:
    """The convolution as a 1×1 one over patches, which a convolution with ones lays out in float.

    Returns:
        The model, and the name of the node that lays out; both the same, and no name, where the
        patches would be too large. Its output is called after the convolution's input.
    """
    convolution = layer.convolution
    values = constants(model)
    weight = values[convolution.input[1]]
    count, channels, height, width = weight.shape
    taps = channels * height * width
    if taps > LARGEST_PATCH or taps == channels:
        return model, ""
    columns = taps + -taps % PACKED
    ones = np.zeros((columns, taps), weight.dtype)
    np.fill_diagonal(ones, 1)
    flat = np.zeros((count, columns), weight.dtype)
    flat[:, :taps] = weight.reshape(count, taps)
    patches = patches_of(convolution)
    values[f"{patches}_ones"] = ones.reshape(columns, channels, height, width)
    values[convolution.input[1]] = flat[:, :, None, None]
    lay_out, multiply = onnx.NodeProto(), onnx.NodeProto()
    lay_out.CopyFrom(convolution)
    del lay_out.input[:]
    lay_out.input.extend([convolution.input[0], f"{patches}_ones"])
    lay_out.output[0] = patches
    lay_out.name = f"node_{patches}"
    multiply.CopyFrom(
        helper.make_node(
            "Conv",
            [patches, *convolution.input[1:]],
            list(convolution.output),
            convolution.name,
            kernel_shape=[1, 1],
        )
    )
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        nodes.extend([lay_out, multiply] if node.output[0] == multiply.output[0] else [node])
    return rebuilt(model, nodes, values), lay_out.name


def with_pairs(model: onnx.ModelProto, layer: FirstLayer) -> tuple[onnx.ModelProto, list[str]]:
    """The convolution over pairs of neighbouring columns as channels: fewer and fuller taps.

    Where channels lie last in memory, as for INT8, the pairs are the image as it lies.

    Returns:
        The model, and the new tensors, of the range of the convolution's input; the same model
        and none where stride, width or dilation do not allow it.
    """
    convolution = layer.convolution
    values = constants(model)
    weight = values[convolution.input[1]]
    count, channels, height, width = weight.shape
    name = convolution.input[0]
    size = shapes(onnx.shape_inference.infer_shapes(model)).get(name, ())
    top, left, bottom, right = attribute(convolution, "pads", [0, 0, 0, 0])
    down, across = attribute(convolution, "strides", [1, 1])
    dilated = attribute(convolution, "dilations", [1, 1]) != [1, 1]
    if channels != 1 or across != 2 or dilated or len(size) != 4 or size[3] % 2 or 0 in size[1:]:
        return model, []
    before = -(-left // 2)
    shift = 2 * before - left
    taps = -(-(shift + width) // 2)
    results = (size[3] + left + right - width) // 2 + 1
    after = results - 1 + taps - before - size[3] // 2
    if after < 0:
        return model, []
    wide = np.zeros((count, height, 2 * taps), weight.dtype)
    wide[:, :, shift : shift + width] = weight[:, 0]
    in_pairs = wide.reshape(count, height, taps, 2).transpose(0, 3, 1, 2)
    last, first = f"{name}_pairs_last", f"{name}_pairs"
    values[convolution.input[1]] = np.ascontiguousarray(in_pairs)
    values[f"{name}_pairs_shape"] = np.array([-1, size[2], size[3] // 2, 2], np.int64)
    new = [
        helper.make_node("Reshape", [name, f"{name}_pairs_shape"], [last], f"node_{last}"),
        helper.make_node("Transpose", [last], [first], f"node_{first}", perm=[0, 3, 1, 2]),
        helper.make_node(
            "Conv",
            [first, *convolution.input[1:]],
            list(convolution.output),
            convolution.name,
            kernel_shape=[height, taps],
            strides=[down, 1],
            pads=[top, before, bottom, after],
        ),
    ]
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        nodes.extend(new if node.output[0] == convolution.output[0] else [node])
    return rebuilt(model, nodes, values), [last, first]


def patches_of(convolution: onnx.NodeProto) -> str:
    """The name of the tensor of patches that `with_patches` makes."""
    return f"{convolution.input[0]}_patches"


def _only_reader(model: onnx.ModelProto, node: onnx.NodeProto, op: str) -> onnx.NodeProto | None:
    name = node.output[0]
    readers = [other for other in model.graph.node if name in other.input]
    outputs = {output.name for output in model.graph.output}
    alone = len(readers) == 1 and name not in outputs and readers[0].op_type == op
    return readers[0] if alone else None
