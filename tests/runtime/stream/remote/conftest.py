"""Sinks that are closed at the end of a test, and write to their spool at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.stream.sinks import Sink, StreamFacts, open_sink

OpenRemote = Callable[..., Sink]


@pytest.fixture(autouse=True)
def quick_writes(monkeypatch):
    monkeypatch.setattr("runtime.stream.sinks.remote.spooled.PERIOD_S", 0.001)
    monkeypatch.setattr("runtime.stream.sinks.remote.spooled.RETRY_S", 0.001)
    for name in ("EDGECL_MQTT_USER", "EDGECL_MQTT_PASSWORD", "EDGECL_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def said() -> list[str]:
    """What the sinks of the test say."""
    return []


@pytest.fixture
def open_remote(tmp_path: Path, said: list[str]) -> Iterator[OpenRemote]:
    """Open what `--sink` takes."""
    opened: list[Sink] = []

    def open_it(text: str, *, run: str = "run", spool: Path | None = None) -> Sink:
        sink = open_sink(
            text,
            tmp_path,
            stream=StreamFacts(run, "steel.edgecl", "camera 0"),
            spool=spool or tmp_path / "spool",
            report=said.append,
        )
        opened.append(sink)
        return sink

    yield open_it
    for sink in opened:
        sink.close()
