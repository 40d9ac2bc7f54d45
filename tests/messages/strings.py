"""List of every string that a user may see, read from the sources.

`python -m tests.messages.strings` prints it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("edgecl", "export", "calibration", "runtime")
ERRORS = frozenset(
    ["EdgeclError", "InputError", "SessionLostError", "GateError", "EquipmentError", "FrameError"]
)
TEMPLATES = "edgecl/reporting/templates"

_TAG = re.compile(r"<[^>]*>|{%.*?%}|{#.*?#}", re.DOTALL)


@dataclass(frozen=True)
class Error:
    """One call of an error's constructor: each text that its parts may have.

    A value that is only known at run time is `{}`; a part that holds nothing else is `()`.
    """

    place: str
    kind: str
    problems: tuple[str, ...]
    hints: tuple[str, ...]
    has_hint: bool


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Each module of the packages, parsed, with its path below the root."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


@cache
def errors() -> tuple[Error, ...]:
    """Every error of ours that the packages make, with its problem and hint."""
    return tuple(_errors())


def _errors() -> Iterator[Error]:
    for name, tree in sources():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and _called(node) in ERRORS):
                continue
            hints = [k.value for k in node.keywords if k.arg == "hint"]
            yield Error(
                place=f"{name}:{node.lineno}",
                kind=_called(node),
                problems=tuple(t for a in node.args[:1] for t in texts(a)),
                hints=tuple(t for h in hints for t in texts(h)),
                has_hint=bool(hints) and "" not in [t for h in hints for t in texts(h)],
            )


def texts(node: ast.expr) -> tuple[str, ...]:
    """Texts that an expression may give, as far as it is written out, `{}` for what is not."""
    if isinstance(node, ast.Constant):
        return (node.value,) if isinstance(node.value, str) else ()
    if isinstance(node, ast.JoinedStr):
        return (_joined(node),)
    if isinstance(node, ast.IfExp):
        return (*texts(node.body), *texts(node.orelse))
    if isinstance(node, ast.BoolOp):
        return tuple(t for value in node.values for t in texts(value))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = texts(node.left) or ("{}",), texts(node.right) or ("{}",)
        return tuple(one + other for one in left for other in right)
    return ()


def prose() -> Iterator[tuple[str, str]]:
    """Every string of two words or more that is not a docstring: place and text."""
    for name, tree in sources():
        docstrings = {id(node) for node in _docstring_nodes(tree)}
        inner = {
            id(part)
            for node in ast.walk(tree)
            if isinstance(node, ast.JoinedStr)
            for part in ast.walk(node)
            if part is not node and isinstance(part, ast.Constant)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                text = _joined(node)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                if id(node) in docstrings or id(node) in inner:
                    continue
                text = node.value
            else:
                continue
            if " " in text.strip() and re.search("[A-Za-z]{2}", text.replace("{}", "")):
                yield f"{name}:{node.lineno}", text


def docstrings() -> Iterator[tuple[str, str]]:
    """Every docstring of the packages: place and text."""
    for name, tree in sources():
        for node in _docstring_nodes(tree):
            yield f"{name}:{node.lineno}", str(node.value)


def templates() -> Iterator[tuple[str, str]]:
    """Text of the pages' templates, without markup: place and text."""
    for path in sorted((ROOT / TEMPLATES).iterdir()):
        if path.suffix == ".html":
            text = _TAG.sub(" ", path.read_text(encoding="utf-8"))
            for line in filter(None, (" ".join(line.split()) for line in text.splitlines())):
                yield path.relative_to(ROOT).as_posix(), line


def _docstring_nodes(tree: ast.Module) -> Iterator[ast.Constant]:
    """Strings that stand alone: of modules, classes and functions, and those below constants."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.value


def _called(node: ast.Call) -> str:
    function = node.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _joined(node: ast.JoinedStr) -> str:
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
    )


def main() -> None:
    """Print the list: errors with their hints, other strings, templates, docstrings."""
    write = sys.stdout.write
    for error in errors():
        write(f"{error.place} {error.kind}: {' | '.join(error.problems)}\n")
        write(f"    -> {' | '.join(error.hints) if error.has_hint else 'NO HINT'}\n")
    for kind, found in (("string", prose()), ("page", templates()), ("docstring", docstrings())):
        for place, text in found:
            write(f"{place} {kind}: {text}\n")


if __name__ == "__main__":
    main()
