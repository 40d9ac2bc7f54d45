"""Sources of frames behind one interface. `open_camera` takes what `--camera` takes."""

from runtime.camera.base import Camera, CameraRequest, Frame, OpenCamera
from runtime.camera.opening import CAMERAS, open_camera

__all__ = ["CAMERAS", "Camera", "CameraRequest", "Frame", "OpenCamera", "open_camera"]
