"""edgecl: from images on disk to judged camera frames."""

__version__ = "0.1.0"
