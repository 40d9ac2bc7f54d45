"""Placement of Q/DQ pairs: one form for the CPU's kernels, another for TensorRT."""
