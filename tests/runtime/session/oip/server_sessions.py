"""Sessions on a server, for the tests of both transports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runtime.session import Session, open_session
from runtime.session.oip.opening import ServerChoice


def opened(bundle: Path, url: str, lines: list[str] | None = None, **choice: Any) -> Session:
    said: list[str] = [] if lines is None else lines
    server = ServerChoice(url, **choice)
    return open_session(bundle, "fp32", engine="oip", server=server, report=said.append)
