"""Where the Q/DQ pairs go: one form for the CPU's kernels, another for TensorRT."""
