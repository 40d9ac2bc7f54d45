"""Facts about FP16 that graphs in half precision are written and read with."""

from __future__ import annotations

import numpy as np
import onnx

LARGEST = float(np.finfo(np.float16).max)
SMALLEST = float(np.finfo(np.float16).smallest_subnormal)


def cast_aliases(model: onnx.ModelProto) -> dict[str, list[str]]:
    """Map every tensor beside a Cast to all that hold its values in one type or another."""
    aliases: dict[str, list[str]] = {}
    for node in model.graph.node:
        if node.op_type == "Cast":
            same = aliases.setdefault(node.input[0], [node.input[0]])
            same.append(node.output[0])
            aliases[node.output[0]] = same
    return aliases
