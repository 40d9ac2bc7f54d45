"""Labels that reviewers give: which names they may have, and the key of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runtime.errors import InputError
from runtime.image.folder.layouts import CONTAINERS, names_ground_truth

LONGEST_LABEL = 60
LONGEST_NAME = 40
"""Signs of a label, and of a reviewer's name, at most."""

KEYS = "1234567890qwertypadfgjkvb"
"""Keys of labels, in their order; further labels are clicked. `s`, `u`, `x`, `z`, `c`, `h`, `n`,
`m`, `i`, `l` and `o` are left to the page."""


def check_label(text: str) -> str:
    """Return a label that can be a class folder.

    Raises:
        InputError: it cannot.
    """
    label = text.strip()
    plain = label.lower().replace("_", " ").replace("-", " ")
    hint = "use a short name such as edge-crack"
    if not label or len(label) > LONGEST_LABEL:
        raise InputError(f"a label has 1 to {LONGEST_LABEL} signs, not {len(label)}", hint=hint)
    if not label.isprintable() or set(label) & set('/\\:*?"<>|') or label[0] in ".-":
        raise InputError(f"{label!r} cannot be the name of a class folder", hint=hint)
    if label[-1] in ". " or plain in CONTAINERS or names_ground_truth(label):
        raise InputError(
            f"{label!r} is a folder name that training does not take for a class", hint=hint
        )
    return label


def check_reviewer(text: str) -> str:
    """Return a reviewer's name.

    Raises:
        InputError: it is empty, too long, or not printable.
    """
    name = " ".join(text.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InputError(
            f"a reviewer's name has 1 to {LONGEST_NAME} printable signs", hint="type your name"
        )
    return name


def in_order(groups: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Return all labels once, those of earlier groups first."""
    return tuple(dict.fromkeys(label for group in groups for label in group if label))


def keys_of_labels(labels: Sequence[str]) -> dict[str, str]:
    """Return the key of each label; empty for those beyond the keys there are."""
    return {
        label: KEYS[number] if number < len(KEYS) else "" for number, label in enumerate(labels)
    }
