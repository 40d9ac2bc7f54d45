"""Sections of the page of a latency report."""
