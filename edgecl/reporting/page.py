"""Rendering of templates to one self-contained HTML file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from edgecl import __version__
from edgecl.reporting import numbers
from edgecl.reporting.plots.palette import css_variables
from runtime.files.atomic import write_text

TEMPLATES = Path(__file__).parent / "templates"


def render_page(template: str, **values: Any) -> str:
    """Fill a template.

    Args:
        template: a file of `templates/`.
        values: what the template shows; text is escaped, only `Markup` is not.

    Returns:
        The page, one HTML file.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in (
        "percent",
        "percent_range",
        "milliseconds",
        "duration",
        "amount",
        "size",
        "decimal",
    ):
        environment.filters[name] = getattr(numbers, name)
    environment.filters["breakable"] = breakable
    stylesheet = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    html = environment.get_template(template).render(
        stylesheet=Markup(css_variables() + "\n" + stylesheet), version=__version__, **values
    )
    # Lone surrogates come from file names that are not UTF-8; a page has to be.
    return re.sub(r"[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", html)


def write_page(template: str, path: Path, **values: Any) -> Path:
    """Fill a template, as `render_page` does, and write it, whole or not at all.

    Returns:
        The page's path.

    Raises:
        InputError: the folder cannot be written.
    """
    write_text(path, render_page(template, **values))
    return path


def breakable(text: object) -> Markup:
    """Allow line breaks after underscores, slashes, dots and dashes of a text."""
    parts = re.split(r"(?<=[_/.-])(?=[^_/.-])", str(text))
    return Markup("<wbr>").join(escape(part) for part in parts)
