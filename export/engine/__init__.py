"""ONNX graphs to TensorRT engines; the TensorRT module is passed in, so that any of them serves."""
