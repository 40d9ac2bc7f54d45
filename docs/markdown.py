"""The parts of a Markdown page that can be checked: headings, links, code blocks, inline code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_FENCE = re.compile(r"^(`{3,})\s*(.*)$")
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")
_IMAGE = re.compile(r"!\[[^\]]*\]\(\s*([^)\s]+)[^)]*\)")
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")


@dataclass(frozen=True)
class Block:
    """One fenced code block.

    Args:
        line: of its first line of code, counted from 1.
        info: the words after the fence, such as `python runnable`.
        code: what stands between the fences.
        section: the anchor of the heading above it.
    """

    line: int
    info: str
    code: str
    section: str = ""

    @property
    def language(self) -> str:
        """The first word of the fence, or nothing."""
        return self.info.split()[0] if self.info else ""


@dataclass
class Page:
    """One page, taken apart.

    Args:
        path: the file.
        anchors: of its headings, as GitHub makes them.
        links: (line, target).
        blocks: the fenced blocks, in order.
        inline: (line, text) of code in running text.
    """

    path: Path
    anchors: set[str] = field(default_factory=set)
    links: list[tuple[int, str]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    inline: list[tuple[int, str]] = field(default_factory=list)


def read_page(path: Path) -> Page:
    """Take a page apart.

    Raises:
        OSError: the file cannot be read.
    """
    page = Page(path)
    fence = info = section = ""
    start = 0
    code: list[str] = []
    prose: list[tuple[int, str]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = _FENCE.match(line.strip())
        if fence:
            if found and found[1].startswith(fence) and not found[2]:
                page.blocks.append(Block(start, info, "\n".join(code) + "\n", section))
                fence = ""
            else:
                code.append(line)
            continue
        if found:
            fence, info, start, code = found[1], found[2].strip(), number + 1, []
            continue
        if heading := _HEADING.match(line):
            section = _unused(anchor_of(heading[1]), page.anchors)
            page.anchors.add(section)
        prose.append((number, line))
    for number, text in _paragraphs(prose):
        page.inline += [(number, " ".join(found[1].split())) for found in _INLINE.finditer(text)]
        bare = _INLINE.sub("code", text)
        for kind in (_LINK, _IMAGE):  # an image may stand inside a link
            page.links += [(number, found[1]) for found in kind.finditer(bare)]
    return page


def anchor_of(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


def _unused(anchor: str, taken: set[str]) -> str:
    number, name = 0, anchor
    while name in taken:
        number += 1
        name = f"{anchor}-{number}"
    return name


def _paragraphs(lines: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Join the lines of each paragraph, since links and code may run over a line's end."""
    first, text = 0, ""
    for number, line in lines:
        starts_anew = not line.strip() or line.lstrip().startswith(("|", "#", "- ", "* "))
        if text and starts_anew:
            yield first, text
            text = ""
        if line.strip():
            first = first if text else number
            text += line + "\n"
    if text:
        yield first, text
