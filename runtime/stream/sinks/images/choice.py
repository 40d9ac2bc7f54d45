"""The target of `--sink images:FOLDER?…`: which frames' images are kept, and how many."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from runtime.errors import InputError
from runtime.stream.budget import parse_time
from runtime.stream.verdict import Status

SINK = "images"
FORMATS = ("png", "jpg")
MOST_AROUND = 100
"""Largest number of frames before and after an event."""

GIB = 2**30
_UNITS = {"MiB": 2**20, "GiB": GIB}
_SIZE = re.compile(r"([1-9]\d{0,8})(MiB|GiB)", re.ASCII)
_LABEL = re.compile(r"(?P<label>.+?)(?:/(?P<every>[1-9]\d{0,8}))?", re.ASCII | re.DOTALL)
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_STATUSES = ("reject", "unknown", "unsure", "late", "fault")
_NAMES = "status, sample, near, label, cooldown, before, after, most, limit, days, format"
_MOST_DAYS = 36_500


@dataclass(frozen=True)
class ImagesChoice:
    """Choice of the images that are kept.

    Args:
        folder: where, as it was named.
        statuses: of verdicts whose images are kept.
        sample: one of so many passes is kept; 0 for none.
        near: distance from a threshold within which a verdict is doubtful; None for no such rule.
        labels: one of so many frames of a label is kept.
        cooldown_ns: least time between two images of one rule, camera and label.
        before, after: frames around an event.
        most: images that the folder holds; None for any number.
        limit: bytes that they have together.
        days: after which an image goes; None for no such rule.
        format: one of `FORMATS`.
    """

    folder: str
    statuses: frozenset[Status] = frozenset((Status.REJECT, Status.UNKNOWN, Status.UNSURE))
    sample: int = 100
    near: float | None = None
    labels: Sequence[tuple[str, int]] = ()
    cooldown_ns: int = 10**9
    before: int = 0
    after: int = 0
    most: int | None = None
    limit: int = GIB
    days: int | None = None
    format: str = "png"


def parse_images(text: str) -> ImagesChoice:
    """Parse `FOLDER?NAME=VALUE&…`.

    Raises:
        InputError: it is no such choice.
    """
    folder, mark, rest = text.partition("?")
    if not folder or "\0" in text:
        raise _mistake("the folder is missing", "as in images:/var/lib/edgecl/images")
    pairs = parse_qsl(rest, keep_blank_values=True)
    if mark and (not pairs or "&".join(name for name, _ in pairs).count("&") != rest.count("&")):
        raise _mistake("what follows '?' is not NAME=VALUE", f"use {_NAMES}, with & between them")
    values: dict[str, str] = {}
    labels = []
    for name, value in pairs:
        if name not in _NAMES.split(", "):
            raise _mistake(f"{name!r} is none of its options", f"use {_NAMES}")
        if name == "label":
            labels.append(_label(value))
        elif name in values:
            raise _mistake(f"{name} is there twice", "keep one of them; label alone may repeat")
        else:
            values[name] = value
    near = values.get("near")
    most, days = values.get("most"), values.get("days")
    given = {
        **({"statuses": _statuses(values["status"])} if "status" in values else {}),
        **({"limit": _size(values["limit"])} if "limit" in values else {}),
        **({"cooldown_ns": _cooldown(values["cooldown"])} if "cooldown" in values else {}),
        **{
            name: _count(name, values[name], 0, largest)
            for name, largest in (
                ("sample", 10**9),
                ("before", MOST_AROUND),
                ("after", MOST_AROUND),
            )
            if name in values
        },
    }
    choice = ImagesChoice(
        folder,
        near=None if near is None else _near(near),
        labels=tuple(labels),
        most=None if most is None else _count("most", most, 1, 10**9),
        days=None if days is None else _count("days", days, 1, _MOST_DAYS),
        format=_format(values.get("format", FORMATS[0])),
        **given,  # type: ignore[arg-type]
    )
    if not (choice.statuses or choice.sample or choice.labels) and choice.near is None:
        raise _mistake("no image is kept by this choice", "name a status, sample, near or label")
    return choice


def _mistake(problem: str, hint: str) -> InputError:
    return InputError(f"--sink {SINK}: {problem}", hint=hint)


def _statuses(text: str) -> frozenset[Status]:
    names = [] if text == "none" else text.split(",")
    for name in names:
        if name not in _STATUSES:
            raise _mistake(
                f"{name!r} is no status whose images are kept",
                f"choose from {', '.join(_STATUSES)} or none; of passes, sample=N keeps every N-th",
            )
    return frozenset(Status(name) for name in names)


def _label(text: str) -> tuple[str, int]:
    match = _LABEL.fullmatch(text)
    if match is None:
        raise _mistake("label has no value", "name a label of the model, as in label=scratches/10")
    return match["label"], int(match["every"] or 1)


def _count(name: str, text: str, least: int, largest: int) -> int:
    if _NUMBER.fullmatch(text) is None or not least <= int(text) <= largest:
        raise _mistake(
            f"{name} {text!r} is not a number from {least} to {largest}", f"as in {name}=3"
        )
    return int(text)


def _near(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise _mistake(f"near {text!r} is no distance above 0 and up to 1", "as in near=0.1")
    return value


def _cooldown(text: str) -> int:
    hint = "as in cooldown=500ms; cooldown=0s for none"
    return 0 if text == "0s" else parse_time(text, hint, f"--sink {SINK}: cooldown")


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise _mistake(f"limit {text!r} is no size", "as in limit=500MiB or limit=20GiB")
    return int(match[1]) * _UNITS[match[2]]


def _format(text: str) -> str:
    if text not in FORMATS:
        raise _mistake(f"{text!r} is no format", f"choose from {', '.join(FORMATS)}")
    return text
