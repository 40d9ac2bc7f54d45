"""Drawn steel: sound surfaces, the six defects of the NEU set, and strips that show them."""

from runtime.surfaces.strip import (
    CLEAN,
    LABELS,
    Strip,
    Zone,
    draw_strip,
    draw_surface,
    plan_zones,
    whole,
)

__all__ = [
    "CLEAN",
    "LABELS",
    "Strip",
    "Zone",
    "draw_strip",
    "draw_surface",
    "plan_zones",
    "whole",
]
