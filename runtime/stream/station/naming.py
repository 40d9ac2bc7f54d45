"""Names of cameras, and verdicts that carry them."""

from __future__ import annotations

from dataclasses import replace

from runtime.camera.base import Frame
from runtime.stream.sinks.base import Sink
from runtime.stream.verdict import Verdict


class NamingSink(Sink):
    """Hands on the verdicts of one camera with its name, to a sink that takes those of several.

    Args:
        sink: isolated; it stays the caller's to close.
        camera: the name.
    """

    isolated = True

    def __init__(self, sink: Sink, camera: str) -> None:
        self.name = sink.name
        self.takes_frames = sink.takes_frames
        self.acts = sink.acts
        self._sink = sink
        self._camera = camera

    def emit(self, verdict: Verdict) -> None:
        """Hand a verdict on."""
        self._sink.emit(replace(verdict, camera=self._camera))

    def observe(self, frame: Frame, verdict: Verdict) -> None:
        """Hand a frame on."""
        self._sink.observe(frame, replace(verdict, camera=self._camera))
