"""What every page is held to."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

VOID = frozenset({"meta", "link", "br", "img", "hr", "input", "wbr"})


class Page(HTMLParser):
    """Collects tags, text, ids and addresses, and holds that tags nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.ids: list[str] = []
        self.references: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            if name == "id":
                self.ids.append(str(value))
            if name in ("src", "href", "xlink:href", "action", "data", "srcset"):
                self.references.append(str(value))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def check(path: Path) -> Page:
    """Parse a page and hold it to being one file that fetches nothing."""
    html = path.read_text(encoding="utf-8")
    page = Page(html)
    assert "script" not in page.tags
    assert all(reference.startswith(("#", "data:")) for reference in page.references)
    assert {reference[1:] for reference in page.references if reference[0] == "#"} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert not re.search(r"https?://|@import|<base|url\((?!#)", html)
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(page.ids)
    assert not re.search(r"#[0-9a-f]{2}fe[0-9a-f]{2}", html)  # no stand-in colour is left
    return page
