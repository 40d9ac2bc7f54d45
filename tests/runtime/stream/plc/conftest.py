"""A sink that answers a PLC on a free port of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.stream.plc.sink import PlcSink, open_modbus
from runtime.stream.sinks import SinkRequest

OpenPlc = Callable[..., "tuple[PlcSink, int]"]


@pytest.fixture
def said() -> list[str]:
    """What sinks report."""
    return []


@pytest.fixture
def open_plc(tmp_path: Path, said: list[str]) -> Iterator[OpenPlc]:
    """Opens a sink on a free port: the sink, and the port."""
    pytest.importorskip("pymodbus", reason="needs pymodbus: pip install 'edgecl[modbus]'")
    opened: list[PlcSink] = []

    def open_one(options: str = "", port: int = 0) -> tuple[PlcSink, int]:
        labels = ("clean", "scratch", "stain")
        target = f"127.0.0.1:{port}{options}"
        request = SinkRequest("modbus", target, tmp_path, labels, report=said.append)
        sink = open_modbus(request)
        assert isinstance(sink, PlcSink)
        opened.append(sink)
        return sink, sink.port

    yield open_one
    for sink in opened:
        sink.close()
