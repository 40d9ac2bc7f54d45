"""Findings of rules."""

from __future__ import annotations

from runtime.files.document import Part

INVALID = "invalid"
NOTE = "note"


class Finding(Part, frozen=True):
    """One finding of a rule.

    Args:
        code: stable name of the rule.
        severity: `invalid` or `note`.
        text: what was seen, with the figure and the limit.
        hint: the next command or step to try.
    """

    code: str
    severity: str
    text: str
    hint: str
