"""Readers of images on disk or drawn, overlap groups, and splits."""
