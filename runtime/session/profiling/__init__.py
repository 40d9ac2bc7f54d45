"""Time per layer, from each engine's own profiler.

A profiler takes time itself: what it tells is for finding the slow layers, not for quoting.
"""

from runtime.session.profiling.layers import PROFILERS, LayerTime, profile_layers

__all__ = ["PROFILERS", "LayerTime", "profile_layers"]
