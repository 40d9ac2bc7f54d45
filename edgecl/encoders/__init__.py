"""The encoders, one file per architecture, its source named."""

from edgecl.encoders.registry import ENCODERS, build_encoder

__all__ = ["ENCODERS", "build_encoder"]
