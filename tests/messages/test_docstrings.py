"""Docstrings begin with an imperative or a noun that stands alone."""

from tests.messages.strings import docstrings

FRAGMENTS = frozenset(
    [
        "Of",
        "What",
        "Which",
        "That",
        "How",
        "Where",
        "When",
        "Why",
        "And",
        "Or",
        "Those",
        "So",
        "At",
        "As",
        "By",
        "In",
        "On",
        "For",
        "From",
        "If",
        "With",
        "Whatever",
        "Whoever",
        "Until",
        "Than",
        "But",
        "Not",
        "Only",
        "Taken",
        "Someone",
        "Something",
    ]
)


def test_no_docstring_begins_as_a_fragment():
    found = [
        f"{place}: {text.strip().splitlines()[0]}"
        for place, text in docstrings()
        if text.split()[0].strip("`.,:") in FRAGMENTS
    ]
    assert not found, "\n".join(found)
