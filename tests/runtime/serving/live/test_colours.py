"""Colours of the pages: text and signs stand out from what they stand on (WCAG 2.2, AA)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import runtime.serving

SHEET = (Path(runtime.serving.__file__).parent / "page" / "page.css").read_text(encoding="utf-8")
STATUSES = ("pass", "reject", "unsure", "unknown", "late", "fault")


def colours(*, dark: bool) -> dict[str, str]:
    light, _, night = SHEET.partition("@media (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([\w-]+): ([^;]+);", light))
    if dark:
        found |= dict(re.findall(r"--([\w-]+): ([^;]+);", night))
    return {
        name: found[value[6:-1]] if value.startswith("var(--") else value
        for name, value in found.items()
    }


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_can_be_read(dark):
    held = colours(dark=dark)
    pairs = [(name, on) for name in ("ink", "muted", "accent") for on in ("panel", "paper")]
    pairs += [(name, "panel") for name in ("good", "bad", "warn")]
    pairs += [("panel", "accent")]  # a pressed button
    weak = {f"{name} on {on}": contrast(held[name], held[on]) for name, on in pairs}
    weak |= {status: contrast("#ffffff", held[status]) for status in STATUSES}
    assert {name: round(value, 2) for name, value in weak.items() if value < 4.5} == {}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_bars_and_borders_can_be_seen(dark):
    held = colours(dark=dark)
    names = [f"{status}-bar" for status in STATUSES] + ["p50", "strong"]
    weak = {name: contrast(held[name], held["panel"]) for name in names}
    assert {name: round(value, 2) for name, value in weak.items() if value < 3} == {}
