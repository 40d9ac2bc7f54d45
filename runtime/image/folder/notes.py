"""Notes on skipped files of a folder, one sentence for each reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from runtime.image.folder.walk import NO_IMAGE, TWICE, LeftOut

_MOST_SUFFIXES = 5


def notes_on(left_out: Sequence[LeftOut]) -> list[str]:
    """A sentence for each reason, in the order in which the reasons first appear.

    Returns:
        Such as `skipped 3 files: Permission denied (first: crack/a.png)`.
    """
    by_reason: dict[str, list[LeftOut]] = {}
    for item in left_out:
        by_reason.setdefault(item.reason, []).append(item)
    return [_note(reason, items) for reason, items in by_reason.items()]


def shown(name: PurePath | str) -> str:
    """A file's name as one line of valid text, whatever bytes it has."""
    text = str(name).encode(errors="surrogateescape").decode(errors="replace")
    return "".join(character if character.isprintable() else "�" for character in text)


def _note(reason: str, items: Sequence[LeftOut]) -> str:
    first, folders = items[0], sum(item.folder for item in items)
    name = shown(first.name)
    place = f"as {shown(first.other)}" if first.other is not None and reason == TWICE else ""
    if len(items) == 1:
        return f"skipped {name}: {reason}{f' ({place})' if place else ''}"
    what = "files and folders" if folders else "files"
    what = "folders" if folders == len(items) else what
    parts = [f"first: {name}", place] if place else [f"first: {name}"]
    if reason == NO_IMAGE:
        parts.insert(0, f"{_suffixes(items)}; {parts.pop(0)}")
    return f"skipped {len(items)} {what}: {reason} ({', '.join(parts)})"


def _suffixes(items: Sequence[LeftOut]) -> str:
    counts = Counter(shown(item.name.suffix.lower()) or "without suffix" for item in items)
    named = [f"{suffix}: {count}" for suffix, count in counts.most_common(_MOST_SUFFIXES)]
    others = len(items) - sum(count for _, count in counts.most_common(_MOST_SUFFIXES))
    return ", ".join([*named, f"others: {others}"] if others else named)
