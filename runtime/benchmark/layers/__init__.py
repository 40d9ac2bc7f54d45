"""Time per layer in one table for all engines, beside its arithmetic and its traffic."""

from runtime.benchmark.layers.document import LayerRow, LayerTable
from runtime.benchmark.layers.measuring import GraphCosts, NodeWork, layer_table, time_layers

__all__ = ["GraphCosts", "LayerRow", "LayerTable", "NodeWork", "layer_table", "time_layers"]
