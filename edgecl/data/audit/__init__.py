"""Audit of image sets: which images show the same piece of metal, and what follows."""
