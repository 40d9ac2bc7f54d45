"""Open sinks by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runtime.errors import InputError
from runtime.plugins import Plugins
from runtime.progress import Say
from runtime.stream.sinks.base import OpenSink, Sink, SinkRequest, StreamFacts
from runtime.stream.sinks.isolated import isolated

SINKS: Plugins[OpenSink] = Plugins(
    "edgecl.sinks",
    "sink",
    {
        "jsonl": "runtime.stream.sinks.json_lines:open_json_lines",
        "images": "runtime.stream.sinks.images.sink:open_images",
        "sqlite": "runtime.stream.sinks.sqlite:open_sqlite",
        "mqtt": "runtime.stream.sinks.remote.mqtt:open_mqtt",
        "webhook": "runtime.stream.sinks.remote.webhook:open_webhook",
        "gpio": "runtime.stream.outputs.sink:open_gpio",
        "modbus": "runtime.stream.plc.sink:open_modbus",
        "opcua": "runtime.stream.opcua.opening:open_opcua",
    },
)


def open_sink(
    text: str,
    folder: Path,
    labels: Sequence[str] = (),
    *,
    taken: Sequence[str] = (),
    stream: StreamFacts | None = None,
    spool: Path | None = None,
    report: Say = lambda text: None,
) -> Sink:
    """Open what `--sink NAME[:TARGET]` names, isolated from the stream.

    Args:
        text: a name of `SINKS`, and what that sink writes to.
        folder: the stream's output folder.
        labels: the model's class names.
        taken: names in the folder that belong to the stream itself.
        stream: what else is known of it.
        spool: folder in which verdicts wait for other machines; the stream's by default.
        report: is told what happens to the sink, at its start and while the stream runs.

    Raises:
        InputError: there is no such sink, or its target cannot be used.
    """
    name, _, target = text.partition(":")
    request = SinkRequest(
        name, target, folder, labels, taken, stream or StreamFacts(), spool, report
    )
    opener = SINKS[name]
    try:
        return isolated(opener(request))
    except OSError as error:  # a package's opener need not know edgecl's errors
        raise InputError(
            f"--sink {text} cannot be opened: {error.strerror or error}",
            hint="check what follows the colon",
        ) from error
