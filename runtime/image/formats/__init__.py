"""Checks of encoded images before a pixel is decoded: one file per format.

Each format's `inspect_…` reads the structure of the bytes and raises FrameError where the image is
not whole, or is of a form that is not decoded. What it returns are `Facts`.
"""

from runtime.image.formats.facts import Facts
from runtime.image.formats.kinds import image_kind, inspect

__all__ = ["Facts", "image_kind", "inspect"]
