"""Write docs/cli.md from the commands themselves: `python -m docs.cli_reference`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from edgecl.cli.options import ImageSize
from edgecl.cli.shell import edgecl
from runtime.errors import CODES

PAGE = Path(__file__).parent / "cli.md"

_DEFAULT_IN_HELP = re.compile(r"\s*\[default: (.*?)\]\s*$", re.DOTALL)

_HEAD = """\
# Command line

Generated from the commands by `python -m docs.cli_reference`; a test compares the two.
`edgecl VERB --help` prints the same on the terminal. `--debug`, on either side of a verb, shows
tracebacks and what native libraries print; `edgecl --version` prints the version.

Options without an effect beside the others are refused by name, and so is an unknown one.
[Exit codes](run.md#exit-codes) are the same for every verb.
"""


def reference() -> str:
    """Return the whole page."""
    root = click.Context(edgecl, info_name="edgecl")
    verbs = edgecl.list_commands(root)
    contents = [f"- [`edgecl {verb}`](#edgecl-{verb})" for verb in verbs]
    parts = [_HEAD, "\n".join([*contents, "- [Error codes](#error-codes)"])]
    parts += ["\n".join(_verb(root, verb)) for verb in verbs]
    parts.append("\n".join(_error_codes()))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _verb(root: click.Context, verb: str) -> Iterator[str]:
    command = edgecl.get_command(root, verb)
    assert command is not None
    names = [
        f"{parameter.metavar or parameter.name}"
        if parameter.required
        else f"[{parameter.metavar or str(parameter.name).upper()}]"
        for parameter in command.params
        if isinstance(parameter, click.Argument)
    ]
    yield f"## edgecl {verb}\n"
    yield "```text\n" + " ".join(["edgecl", verb, "[OPTIONS]", *names]) + "\n```\n"
    yield _paragraphs(command.help or "")
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    if options:
        yield "\n| Option | Takes | Default | Meaning |\n|---|---|---|---|"
        yield from (_row(option) for option in options)


def _error_codes() -> Iterator[str]:
    yield "## Error codes\n"
    yield (
        "The last word of the line that ends a command, in brackets, and `error.code` of "
        "`--json`. `edgecl: interrupted` has no brackets, and a stream that was stopped prints its "
        "summary in place of an error.\n"
    )
    yield "| Code | Meaning |\n|---|---|"
    yield from (f"| `{code}` | {meaning} |" for code, meaning in CODES.items())


def _paragraphs(text: str) -> str:
    blocks = (" ".join(block.split()) for block in text.split("\n\n"))
    return "\n\n".join(_code(block) for block in blocks)


def _row(option: click.Option) -> str:
    names = " / ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    meaning = (option.help or "").strip()
    default = _default(option)
    found = _DEFAULT_IN_HELP.search(meaning)
    if found:
        meaning = meaning[: found.start()]
        default = _code(found[1])
    if option.required:
        default = "required"
    if option.multiple and "repeat" not in meaning.lower():
        meaning = f"{meaning} Repeatable.".strip()
    cells = (names, _takes(option), default, _code(meaning))
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"


def _default(option: click.Option) -> str:
    if not option.show_default:
        return ""
    value = option.default
    return f"`{'x'.join(map(str, value)) if isinstance(value, tuple) else value}`"


def _takes(option: click.Option) -> str:
    kind = option.type
    if option.is_flag:
        return ""
    if option.metavar:
        return f"`{option.metavar}`"
    if isinstance(kind, click.Choice):
        return ", ".join(f"`{choice}`" for choice in kind.choices)
    if isinstance(kind, (click.IntRange, click.FloatRange)):
        return _range(kind)
    if isinstance(kind, click.Path):
        return "folder" if not kind.file_okay else "file" if not kind.dir_okay else "path"
    if isinstance(kind, ImageSize):
        return "`HEIGHTxWIDTH`"
    return str(kind.name)


def _range(kind: click.IntRange | click.FloatRange) -> str:
    what = "integer" if isinstance(kind, click.IntRange) else "number"
    ends = []
    if kind.min is not None:
        ends.append(f"{'above' if kind.min_open else 'from'} {kind.min:g}")
    if kind.max is not None:
        ends.append(f"{'below' if kind.max_open else 'to'} {kind.max:g}")
    return " ".join((what, *ends))


def _code(text: str) -> str:
    """Set options and commands in running text as code."""
    text = re.sub(r"'(edgecl [^']+)'", r"`\1`", text)
    outside = text.split("`")
    for number in range(0, len(outside), 2):
        outside[number] = re.sub(r"(?<![\w-])(--[a-z][a-z0-9-]*)", r"`\1`", outside[number])
    return "`".join(outside)


def main() -> None:
    """Write the page."""
    PAGE.write_text(reference(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")


if __name__ == "__main__":
    main()
