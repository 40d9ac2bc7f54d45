"""The colours of every page and plot, by role, for light paper and for dark rooms.

Plots are drawn in stand-in colours, one per role, that become CSS variables when the plot is put
into the page. So one drawing follows the reader's light or dark setting, and prints on white.
"""

from __future__ import annotations

from typing import NamedTuple


class Role(NamedTuple):
    """One role's colour on light and on dark paper."""

    light: str
    dark: str


# The series keep their order of brightness in both sets and differ for the three common kinds of
# colour blindness (after Okabe and Ito, darkened until each reads at 3:1 on its paper).
ROLES = {
    "ink": Role("#1c2128", "#e3e7ec"),
    "muted": Role("#59636e", "#9aa5b1"),
    "faint": Role("#8c959f", "#6e7781"),
    "line": Role("#d5dae0", "#363d46"),
    "paper": Role("#ffffff", "#15181c"),
    "panel": Role("#f5f6f8", "#1d2126"),
    "good": Role("#0a7a56", "#4cc9a0"),
    "bad": Role("#b8430a", "#f59a62"),
    "s1": Role("#0b66b0", "#6bb5f2"),
    "s2": Role("#c9560c", "#f29a58"),
    "s3": Role("#0a8560", "#4cc9a0"),
    "s4": Role("#8b4a9f", "#cda1e3"),
    "s5": Role("#957000", "#e3c152"),
    "s6": Role("#2b93c9", "#9ad7f7"),
    "s7": Role("#b83a80", "#f293c4"),
    "s8": Role("#5f6772", "#aab2bd"),
}

SERIES = tuple(name for name in ROLES if name[0] == "s" and name[1:].isdigit())

# No plot uses these exact colours for anything else.
STAND_IN = {name: f"#{number:02x}fe{number:02x}" for number, name in enumerate(ROLES, start=1)}


def colour(role: str) -> str:
    """The stand-in colour to draw `role` with."""
    return STAND_IN[role]


def series(number: int) -> str:
    """The stand-in colour of the `number`-th series; they repeat after eight."""
    return STAND_IN[SERIES[number % len(SERIES)]]


def dash(number: int) -> str:
    """The line style of the `number`-th series: solid until the colours repeat."""
    return ("-", "--", ":", "-.")[number // len(SERIES) % 4]


def css_variables() -> str:
    """The stylesheet's variables: light, dark where the reader asks for it, light on paper."""
    light = " ".join(f"--{name}: {role.light};" for name, role in ROLES.items())
    dark = " ".join(f"--{name}: {role.dark};" for name, role in ROLES.items())
    return (
        f":root {{ color-scheme: light; {light} }}\n"
        "@media screen and (prefers-color-scheme: dark) "
        f"{{ :root {{ color-scheme: dark; {dark} }} }}"
    )
