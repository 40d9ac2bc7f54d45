"""Removal of channel shuffles from a graph: the weights take over the order.

A shuffle (Ma et al., "ShuffleNet V2", ECCV 2018) moves every byte of a map and computes nothing.
Where its channels end in convolutions, these can as well read them in the order in which they
were written, and the transpose is gone.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
from numpy.typing import NDArray

from export.rewrites.channel_order import OutOfReachError, Shuffle, with_channels_in_order
from export.rewrites.graph import attribute, shapes


def remove_channel_shuffles(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the same function without shuffles, or `model` itself if they cannot be removed.

    All go or none. Tensors that stay keep their names, also with channels in another order.

    Args:
        model: any float type; it is not changed.
    """
    inferred = onnx.shape_inference.infer_shapes(model)
    shuffles = find_shuffles(inferred)
    if not shuffles:
        return model
    try:
        return with_channels_in_order(inferred, shuffles)
    except OutOfReachError:
        return model


def find_shuffles(model: onnx.ModelProto) -> dict[str, Shuffle]:
    """Every Reshape, Transpose, Reshape that interleaves groups of channels.

    Args:
        model: with inferred shapes.

    Returns:
        By the name of the shuffled tensor.
    """
    made = {name: node for node in model.graph.node for name in node.output}
    reads = Counter(name for node in model.graph.node for name in node.input)
    known = shapes(model)
    found = {}
    for last in model.graph.node:
        middle = made.get(last.input[0]) if last.op_type == "Reshape" else None
        if middle is None or middle.op_type != "Transpose":
            continue
        first = made.get(middle.input[0])
        if first is None or first.op_type != "Reshape":
            continue
        origin, split, turned = first.input[0], first.output[0], middle.output[0]
        before, grouped, after = (known.get(name, ()) for name in (origin, split, last.output[0]))
        # An unknown size can only be that of the batch.
        if len(before) != 4 or len(grouped) != 5 or before[1:] != after[1:] or 0 in before[1:]:
            continue
        groups, width = grouped[1:3]
        if (
            (groups * width, *grouped[3:]) == before[1:]
            and attribute(middle, "perm") == [0, 2, 1, 3, 4]
            and reads[split] == reads[turned] == 1
        ):
            order: NDArray[np.int64] = np.arange(before[1]).reshape(groups, width).T.ravel()
            found[last.output[0]] = Shuffle(origin, (split, turned), order.tolist())
    return found
