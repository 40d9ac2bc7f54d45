"""Lines that are served: two for all tests here, and others that a test opens for itself.

A server takes seconds to begin, so that a test leaves a line as it found it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.runtime.stream.opcua.serving import PATIENCE_S, ServedLine

OpenLine = Callable[..., ServedLine]


@pytest.fixture(scope="session")
def line(tmp_path_factory) -> Iterator[ServedLine]:
    """A line with a user, and the standard's names in a namespace of edgecl's own."""
    pytest.importorskip("asyncua", reason="needs asyncua: pip install 'edgecl[opcua]'")
    served = ServedLine(tmp_path_factory.mktemp("line"))
    yield served
    served.close()


@pytest.fixture(scope="session")
def guarded(tmp_path_factory) -> Iterator[ServedLine]:
    """A line that nobody reads without a user, and that lets its clients wait for recipes."""
    pytest.importorskip("asyncua", reason="needs asyncua: pip install 'edgecl[opcua]'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runtime.stream.opcua.sink.PATIENCE_S", PATIENCE_S)
        served = ServedLine(tmp_path_factory.mktemp("guarded"), "anonymous=no")
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
