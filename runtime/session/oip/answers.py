"""JSON of the protocol, read: metadata, and answers with tensors in it or behind it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.session.oip.connection import ServerAnswer, ServerRefusalError, TensorFacts
from runtime.session.oip.contract import ANSWER_TYPE

HEADER_LENGTH = "Inference-Header-Content-Length"


def parse_answer(data: bytes, length: str | None = None) -> ServerAnswer:
    """Read the answer to an inference.

    Args:
        length: of the JSON in front of binary data, as the header tells it; None for JSON alone.

    Raises:
        ServerRefusalError: it is none, or its tensors do not add up.
    """
    if length is None:
        head, rest = data, memoryview(b"")
    else:
        if not (length.isascii() and length.isdigit() and int(length) <= len(data)):
            raise ServerRefusalError(f"its {HEADER_LENGTH} {length!r} does not fit its answer")
        head, rest = data[: int(length)], memoryview(data)[int(length) :]
    told = json_object(head)
    outputs: dict[str, NDArray[np.float32]] = {}
    try:
        for tensor in told["outputs"]:
            name, shape = tensor["name"], shape_of(tensor["shape"])
            if tensor["datatype"] != ANSWER_TYPE:
                raise ServerRefusalError(f"its {name} are {tensor['datatype']}, not {ANSWER_TYPE}")
            size = (tensor.get("parameters") or {}).get("binary_data_size")
            if size is None:
                values = _numbers(tensor["data"])
            else:
                if type(size) is not int or size % 4 or not 0 <= size <= len(rest):
                    raise ValueError(f"{size} bytes of {len(rest)}")
                values, rest = np.frombuffer(rest[:size], "<f4"), rest[size:]
            if math.prod(shape) != values.size:
                raise ValueError(f"{values.size} numbers for {shape}")
            outputs[str(name)] = values.reshape(shape).astype(np.float32, copy=False)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ServerRefusalError("its answer is not that of the protocol") from error
    return ServerAnswer(str(told.get("model_version") or ""), outputs)


def _numbers(data: Any) -> NDArray[np.float32]:
    values = np.asarray(data)
    if values.dtype.kind not in "fiu":
        raise TypeError("not numbers")
    with np.errstate(over="ignore"):
        return values.astype(np.float32).ravel()


def tensors_of(told: Any) -> dict[str, TensorFacts]:
    """Return the tensors of a model's metadata, by name.

    Raises:
        KeyError, TypeError, ValueError: they are none.
    """
    found = {}
    for tensor in told or ():
        shape = shape_of(tensor["shape"], least=-1)
        found[str(tensor["name"])] = TensorFacts(str(tensor["datatype"]), shape)
    return found


def shape_of(told: Any, *, least: int = 0) -> tuple[int, ...]:
    """Return a shape.

    Raises:
        TypeError, ValueError: it is none.
    """
    if not isinstance(told, Sequence) or isinstance(told, str) or len(told) > 8:
        raise TypeError("no shape")
    if not all(type(side) is int and least <= side < 2**31 for side in told):
        raise ValueError("no shape")
    return tuple(told)


def json_object(data: bytes) -> Mapping[str, Any]:
    """Return a JSON object.

    Raises:
        ServerRefusalError: it is none.
    """
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ServerRefusalError("its answer is not JSON") from error
    if not isinstance(told, dict):
        raise ServerRefusalError("its answer is not a JSON object")
    return told
