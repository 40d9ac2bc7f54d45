"""The boxes, for the tests of what they are made of."""

from __future__ import annotations

from tests.bindings.boxes import backend, box, driver, version

__all__ = ["backend", "box", "driver", "version"]
