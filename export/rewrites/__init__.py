"""Exact rewrites of a graph: the same function, less work."""

from export.rewrites.all import REWRITES, apply

__all__ = ["REWRITES", "apply"]
