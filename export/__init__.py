"""Trained model to ONNX, half precision and Q/DQ; the gate that compares them; the bundle."""
