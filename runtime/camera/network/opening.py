"""Opening of the camera behind a stream's address."""

from __future__ import annotations

from runtime.camera.base import Camera, CameraRequest
from runtime.camera.device import DeviceCamera
from runtime.camera.network.fetched import open_fetched
from runtime.camera.stored.opening import open_path


def open_address(request: CameraRequest) -> Camera:
    """Open an address: a live stream, or a stored file, which is fetched first."""
    address = request.source.text
    may_end = False
    if address.lower().startswith("http"):
        fetched, may_end = open_fetched(address, open_path)
        if fetched is not None:
            return fetched
    else:
        request.refuse_fps()
    return DeviceCamera(address, report=request.report, may_end=may_end)
