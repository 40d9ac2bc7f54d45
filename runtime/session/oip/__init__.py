"""Sessions on a server that speaks the Open Inference Protocol v2: Triton, MLServer, and others."""
