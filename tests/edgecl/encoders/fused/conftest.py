"""Every map counts as large, and torch has its threads back afterwards."""

from __future__ import annotations

import pytest
import torch

from edgecl.encoders.fused import pixels


@pytest.fixture(autouse=True)
def every_map_is_large(monkeypatch):
    monkeypatch.setattr(pixels, "FEWEST_NUMBERS", 0)


@pytest.fixture(params=[1, 2, 5])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)
