"""Opening of GStreamer pipelines, and of a Jetson's CSI cameras by name."""

from __future__ import annotations

from runtime.camera.base import Camera, CameraRequest
from runtime.camera.gstreamer.csi import csi_pipeline
from runtime.camera.gstreamer.feed import GStreamerFeed
from runtime.camera.live.camera import LiveCamera
from runtime.secrets import redact


def open_pipeline(request: CameraRequest) -> Camera:
    """Open a pipeline. One without a live source ends at its end."""
    return _open(request, request.source.text)


def open_csi(request: CameraRequest) -> Camera:
    """Open a CSI camera of a Jetson."""
    return _open(request, csi_pipeline(request.source.target))


def _open(request: CameraRequest, pipeline: str) -> Camera:
    request.refuse_fps()
    return LiveCamera(
        f"camera {redact(request.source.text)}",
        lambda: GStreamerFeed(pipeline),
        report=request.report,
        give_up_after=request.give_up_after,
    )
