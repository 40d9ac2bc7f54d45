"""What tests of the export share."""

from __future__ import annotations

from typing import Any

import pytest

from export.engine.modules import load_tensorrt
from runtime.errors import InputError


@pytest.fixture(scope="session")
def rtx() -> Any:
    """TensorRT for RTX, whose parser and builder need no GPU."""
    try:
        return load_tensorrt("tensorrt_rtx")
    except InputError as error:
        pytest.skip(str(error))
