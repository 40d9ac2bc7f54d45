"""Compilation of ONNX graphs to TensorRT engines; the TensorRT module is passed in."""
