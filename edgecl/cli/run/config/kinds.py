"""Kinds of value in a configuration: what an option takes, and how to write it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import click

from edgecl.cli.run.config.keys import KEYS

EXAMPLES: Mapping[str, str] = {
    "camera": 'camera = "rtsp://192.168.0.20/stream"',
    "set": "ExposureTime = 500",
    "health-limit": "dark-below = 0.05",
    "model": 'model = "line.edgecl"',
    "engine": 'url = "http://triton:8000"',
    "budget": 'total = "20ms"',
    "rules": 'debounce = "2/3"',
    "unsure-below": "scratch = 0.6",
    "output": 'sink = ["jsonl:copy.jsonl"]',
    "check": 'check-parts = "samples"',
    "machine": "realtime = true",
}
"""A line of each table, by the last part of its name."""


def wanted_by(option: click.Option) -> tuple[Callable[[Any], bool], str, str]:
    """Return whether a value is of an option's type, that type in words, and a hint."""
    if option.is_flag:
        return lambda value: isinstance(value, bool), "true or false", "write true or false"
    if isinstance(option.type, click.types.IntParamType):
        return lambda value: type(value) is int, "an integer", "use an integer, without quotes"
    if isinstance(option.type, click.types.FloatParamType):
        return is_number, "a number", "use a finite number, without quotes"
    return lambda value: isinstance(value, str), "a text", "put it in quotes"


def is_number(value: Any) -> bool:
    """Whether a value is a finite number; true and false are none."""
    return type(value) in (int, float) and math.isfinite(value)


def kind_of(value: Any) -> str:
    """The value in words, or its kind where it has many."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return f"the text {value!r}"
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "a table"
    return f"the date {value}"


def as_table(table: str, value: Any) -> str:
    """Return the hint how to write a table that has something else in its place.

    Args:
        table: its whole name, as in `camera.set` or `cameras[1].set`.
        value: what the file has.
    """
    table = re.sub(r"\[\d+\]", "", table)
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return f"write [{table}], in single brackets"
    # A table that has a key of its own name, or whose name is a key of another one.
    (meant, key), *_ = [path for path in KEYS.values() if path[-1] == table and len(path) == 2] or [
        (table, "")
    ]
    if key and isinstance(value, (str, int)) and not isinstance(value, bool):
        return f"write [{meant}], and below it {key} = {json.dumps(value, ensure_ascii=False)}"
    return f"write [{table}], and below it {EXAMPLES[table.rpartition('.')[2]]}"


def as_list(key: str, value: Any) -> str:
    """Return the hint how to write a list that has something else in its place."""
    if isinstance(value, str):
        return f"write {key} = [{json.dumps(value, ensure_ascii=False)}]"
    return f'write {key} = ["one", "two"]'
