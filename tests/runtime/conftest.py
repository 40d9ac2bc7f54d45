"""What tests of the runtime share: boxes with a GPU, of doubles held to the real bindings."""

from __future__ import annotations

from tests.bindings.boxes import backend, box, driver, version

__all__ = ["backend", "box", "driver", "version"]
