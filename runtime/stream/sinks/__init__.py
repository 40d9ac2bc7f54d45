"""Sinks: where verdicts go. `open_sink` takes what `--sink` takes."""

from runtime.stream.sinks.base import LineControls, OpenSink, Sink, SinkRequest, StreamFacts
from runtime.stream.sinks.json_lines import JsonLinesSink
from runtime.stream.sinks.opening import SINKS, open_sink

__all__ = [
    "SINKS",
    "JsonLinesSink",
    "LineControls",
    "OpenSink",
    "Sink",
    "SinkRequest",
    "StreamFacts",
    "open_sink",
]
