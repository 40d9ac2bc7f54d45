"""Plots of a latency report beside its distributions: its course, and the roofline."""
