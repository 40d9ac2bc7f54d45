"""Names under which an inference server serves a bundle's models."""

from __future__ import annotations

import re


def model_name(text: str) -> str:
    """`text` as a model's name: a folder, and a part of a URL."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_") or "model"


def served_name(bundle: str, precision: str) -> str:
    """Return the name of a bundle's model in one precision, as `edgecl export --triton` gives it.

    Args:
        bundle: its name.
    """
    return model_name(f"{model_name(bundle)}_{precision}")
