"""A bundle that the doubles of a server answer for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.session.oip.server_double import brightness
from tests.runtime.session.test_golden import images, packed, put


@pytest.fixture
def bundle(make_bundle) -> Path:
    folder: Path = make_bundle()
    golden = brightness(images())["probabilities"]
    put(folder, packed(images=images(), probabilities=golden))
    return folder
