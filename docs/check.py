"""Hold the documentation to the project: `python -m docs.check` names whatever does not fit.

Links and anchors lead somewhere, commands and their options exist with the values that are shown,
Python compiles, JSON parses, and files and folders of the project that a page names are there.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from docs.markdown import Block, Page, read_page
from edgecl.cli.shell import VERBS, edgecl
from runtime.errors import EdgeclError

ROOT = Path(__file__).parent.parent

LANGUAGES = frozenset({"bash", "python", "json", "text", "toml", "csv"})

ROOMS = (
    *("edgecl", "export", "calibration", "runtime"),
    *("tests", "benchmarks", "docker", "docs", "plant"),
)

# Options of other programs that running text may name.
FOREIGN_OPTIONS = frozenset(
    {"--system-site-packages", "--build-arg", "--version", "--debug"}
    # Of the install script of a pack.
    | {"--unsigned", "--check"}
)

_OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")
_MAKE = re.compile(r"\bmake ([a-z][a-z-]*)")
_TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
_PROMPT = re.compile(r"^\$ ")


def pages() -> list[Path]:
    """Return the Markdown files of the project: those at its root and all below `docs/`."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def problems(paths: list[Path]) -> list[str]:
    """Return a line for each thing that does not fit, `FILE:LINE: what`.

    Args:
        paths: Markdown files inside the project.
    """
    read = {path: read_page(path) for path in paths}
    found: list[str] = []
    for path, page in read.items():
        where = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        found += [f"{where}:{line}: {what}" for line, what in _problems_of(page, read)]
    return found


def _problems_of(page: Page, read: dict[Path, Page]) -> Iterator[tuple[int, str]]:
    for line, target in page.links:
        if problem := _problem_of_link(page, target, read):
            yield line, problem
    added = frozenset(name for block in page.blocks for name in _entry_points(block))
    for block in page.blocks:
        yield from problems_of_block(block, added)
    if page.path.name == "CHANGELOG.md":
        return  # it names what is no more
    for line, text in page.inline:
        yield from ((line, problem) for problem in _problems_of_inline(text))


def _problem_of_link(page: Page, target: str, read: dict[Path, Page]) -> str:
    if target.startswith(("http://", "https://", "mailto:")):
        return ""
    file, _, anchor = target.partition("#")
    path = (page.path.parent / file).resolve() if file else page.path
    if not path.exists():
        return f"the link {target} leads to no file"
    if anchor:
        other = read.get(path) or read_page(path)
        if anchor not in other.anchors:
            return f"{path.name} has no heading for the link {target}"
    return ""


def _entry_points(block: Block) -> Iterator[str]:
    """Yield the names that a block of pyproject.toml adds to edgecl."""
    if block.language == "toml" and "edgecl." in block.code:
        yield from re.findall(r"^([\w-]+) = ", block.code, re.MULTILINE)


def problems_of_block(
    block: Block, added: frozenset[str] = frozenset()
) -> Iterator[tuple[int, str]]:
    """Yield (line, what) for a fenced block whose code cannot be right.

    Args:
        block: of any language.
        added: names of the page's own cameras, sinks, engines and encoders.
    """
    if block.language not in LANGUAGES:
        yield block.line, f"a block of {block.language or 'no language'}: name one of {LANGUAGES}"
    elif block.language == "python":
        try:
            compile(block.code, "block", "exec")
        except SyntaxError as error:
            yield block.line + (error.lineno or 1) - 1, f"Python does not compile: {error.msg}"
    elif block.language == "json":
        try:
            json.loads(block.code)
        except ValueError as error:
            yield block.line, f"JSON does not parse: {error}"
    elif block.language == "bash":
        for line, command in commands_of(block):
            for problem in _problems_of_command(command):
                if not any(f"'{name}' is not one of" in problem for name in added):
                    yield line, problem


def commands_of(block: Block) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, words) of each command; where lines begin with `$ `, the others are output."""
    lines = block.code.replace("\\\n", " \0").splitlines()
    prompts = any(_PROMPT.match(line) for line in lines)
    number = block.line
    for line in lines:
        first, number = number, number + 1 + line.count("\0")
        if prompts and not _PROMPT.match(line):
            continue
        text = _PROMPT.sub("", line.replace("\0", ""))
        lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;")
        lexer.whitespace_split = True
        lexer.commenters = "#"
        command: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("|&;"):
                if command:
                    yield first, command
                command = []
            else:
                command.append(word)


def _problems_of_command(words: list[str]) -> Iterator[str]:
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    if words[:1] == ["make"]:
        yield from _problems_of_make([word for word in words[1:] if "=" not in word])
    elif words[:1] == ["edgecl"]:
        yield from _problems_of_edgecl(words[1:])
    elif "-m" in words[:-1] and words[words.index("-m") + 1] == "edgecl":
        yield from _problems_of_edgecl(words[words.index("-m") + 2 :])
    else:
        for word in words:
            if word.endswith(".py") and not (ROOT / word).exists():
                yield f"there is no {word}"


def _problems_of_make(targets: list[str]) -> Iterator[str]:
    known = set(_TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    yield from (f"the Makefile has no {target}" for target in targets if target not in known)


def _problems_of_edgecl(words: list[str]) -> Iterator[str]:
    """Parse a command as edgecl would, without doing its work."""
    words = [word for word in words if word != "--debug"]
    root = click.Context(edgecl, info_name="edgecl")
    if not words or words[0].startswith("-"):
        return
    command = edgecl.get_command(root, words[0])
    if command is None:
        yield f"edgecl has no verb {words[0]}"
        return
    if "--config" in words and words[:1] == ["run"]:
        at = words.index("--config")
        words[at : at + 2] = ["--camera", "demo"]  # what the file, which is not here, would give
    try:
        command.make_context(words[0], words[1:], parent=root)
    except click.exceptions.Exit:
        pass
    except click.ClickException as error:
        yield f"edgecl {' '.join(words)}: {error.format_message()}"
    except EdgeclError as error:
        yield f"edgecl {' '.join(words)}: {error.problem}"


def _problems_of_inline(text: str) -> Iterator[str]:
    words = text.split()
    if words[:1] == ["edgecl"] and len(words) > 1 and words[1].islower():
        if words[1] not in VERBS and not words[1].startswith("-"):
            yield f"edgecl has no verb {words[1]}"
        elif words[1] in VERBS:
            known = _options_of(words[1]) | FOREIGN_OPTIONS
            yield from (
                f"edgecl {words[1]} has no {option}"
                for option in _OPTION.findall(text)
                if option not in known
            )
        return
    if text.startswith("--"):
        option = _OPTION.findall(text)[:1]
        known = FOREIGN_OPTIONS.union(*map(_options_of, VERBS))
        yield from (f"no verb of edgecl has {name}" for name in option if name not in known)
    if words[:1] == ["make"]:
        yield from _problems_of_make(_MAKE.findall(text))
    in_a_room = re.fullmatch(rf"({'|'.join(ROOMS)})/[\w./-]*", text)
    if in_a_room and not (ROOT / text).exists():
        yield f"there is no {text}"


def _options_of(verb: str) -> frozenset[str]:
    command = edgecl.get_command(click.Context(edgecl), verb)
    assert command is not None
    return frozenset(
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    )


def main() -> int:
    """Print what does not fit; 1 where there is anything."""
    found = problems(pages())
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
