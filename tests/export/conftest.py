"""What tests of the export share."""

from __future__ import annotations

from typing import Any

import pytest

from export.engine.modules import load_tensorrt
from runtime.errors import InputError
from tests.made_once import GraphOf, MadeOnce, graph_maker


@pytest.fixture(scope="session")
def rtx() -> Any:
    """TensorRT for RTX, whose parser and builder need no GPU."""
    try:
        return load_tensorrt("tensorrt_rtx")
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def graph_of(made_once: MadeOnce) -> GraphOf:
    """`graph_of(classifier, contract, half=False)`: `to_onnx`, once for the same weights."""
    return graph_maker(made_once)
