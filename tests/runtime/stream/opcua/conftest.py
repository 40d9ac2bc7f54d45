"""Lines that are served: one for a file's tests, and others that a test opens for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.runtime.stream.opcua.serving import ServedLine

OpenLine = Callable[..., ServedLine]


@pytest.fixture(scope="module")
def line(tmp_path_factory) -> Iterator[ServedLine]:
    """A line with a user, and the standard's names in a namespace of edgecl's own."""
    pytest.importorskip("asyncua", reason="needs asyncua: pip install 'edgecl[opcua]'")
    served = ServedLine(tmp_path_factory.mktemp("line"))
    yield served
    served.close()


@pytest.fixture
def open_line(tmp_path: Path) -> Iterator[OpenLine]:
    """Serve a line with these options."""
    pytest.importorskip("asyncua", reason="needs asyncua: pip install 'edgecl[opcua]'")
    opened: list[ServedLine] = []

    def open_it(options: str = "", *, users: bool = True) -> ServedLine:
        folder = tmp_path / str(len(opened))
        folder.mkdir()
        opened.append(ServedLine(folder, options, users=users))
        return opened[-1]

    yield open_it
    for served in opened:
        served.close()
