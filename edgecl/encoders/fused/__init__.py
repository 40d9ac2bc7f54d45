"""Layers of a training step on a CPU that share their passes over memory.

The maps of a light encoder are wider than a CPU's caches, so batch norm, ReLU, concatenation and
shuffle cost what they read and write, and torch takes a pass or two for each. Compiled by numba,
they take as few as there can be. GPUs, evaluation, export and small maps keep to torch's layers.
"""

from edgecl.encoders.fused.interleave import interleave
from edgecl.encoders.fused.sequential import FusedSequential

__all__ = ["FusedSequential", "interleave"]
