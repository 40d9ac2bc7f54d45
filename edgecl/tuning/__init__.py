"""Thresholds of a line: what they let through and what they hold back, and which one is proven."""
