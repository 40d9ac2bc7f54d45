"""Sources of frames behind one interface. `open_camera` takes what `--camera` takes."""

from runtime.camera.base import Camera, Frame
from runtime.camera.opening import open_camera

__all__ = ["Camera", "Frame", "open_camera"]
