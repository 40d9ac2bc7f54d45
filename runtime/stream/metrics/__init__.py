"""Metrics of running streams, for Prometheus."""
