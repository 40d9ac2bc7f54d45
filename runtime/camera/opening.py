"""Opening of the camera behind `--camera`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from runtime.camera.address import Kind, sort_source
from runtime.camera.base import Camera, CameraRequest, OpenCamera
from runtime.camera.login import logged_in
from runtime.camera.pacing import PacedCamera
from runtime.errors import InputError
from runtime.plugins import Plugins
from runtime.progress import Say

CAMERAS: Plugins[OpenCamera] = Plugins(
    "edgecl.cameras",
    "kind of camera",
    {
        Kind.DEMO: "runtime.camera.demo:open_demo",
        Kind.DEVICE: "runtime.camera.device:open_device",
        Kind.PIPELINE: "runtime.camera.gstreamer.opening:open_pipeline",
        Kind.CSI: "runtime.camera.gstreamer.opening:open_csi",
        Kind.ADDRESS: "runtime.camera.network.opening:open_address",
        Kind.STORED: "runtime.camera.stored.opening:open_stored",
        Kind.ARAVIS: "runtime.camera.genicam.aravis:open_aravis",
        Kind.GENTL: "runtime.camera.genicam.gentl:open_gentl",
    },
)


LOG = logging.getLogger("edgecl.camera")


def open_camera(
    source: str,
    *,
    fps: float | None = None,
    seed: int = 0,
    report: Say = LOG.warning,
    give_up_after: float | None = None,
    trigger: str | None = None,
    settings: Mapping[str, str] = MappingProxyType({}),
    login_file: Path | None = None,
) -> Camera:
    """Open a source of frames.

    Args:
        source: see `sort_source`: a device, an address, a GStreamer pipeline, a video file, a
            folder of images, one image, `demo`, or `NAME:TARGET` of an installed plug-in.
        fps: frames per second at which `demo`, a file or a folder is played; without it `demo`
            runs at its own rate and files go as fast as they are read.
        seed: of the demo line.
        report: is told, in one line, when a live camera is lost and when it is back; by default
            the logger `edgecl.camera`.
        give_up_after: seconds after which a lost camera ends the stream with EquipmentError; by
            default it is opened again for ever.
        trigger: what frames wait for: `software`, `line` or `external`; without one, cameras run
            freely.
        settings: value by feature, as in `{"ExposureTime": "500"}`, set in this order.
        login_file: file with the user and the password of the camera at an address, a line each.

    Raises:
        InputError: nothing there, or nothing that can be read as frames.
    """
    found = logged_in(sort_source(source, CAMERAS.is_added), login_file)
    request = CameraRequest(found, fps, seed, report, give_up_after, trigger, settings)
    opener = CAMERAS[found.kind]
    try:
        camera = opener(request)
    except OSError as error:  # a package's opener need not know edgecl's errors
        raise InputError(
            f"camera {source} cannot be opened: {error.strerror or error}",
            hint="check the source and its permissions",
            code="camera-unavailable",
        ) from error
    if give_up_after is not None and not camera.reconnects:
        camera.close()
        raise InputError(
            f"camera {source} is never opened again, so there is nothing to give up",
            hint="leave out --give-up-after, or pass a live camera",
        )
    if trigger is not None and camera.trigger != trigger:
        camera.close()
        raise InputError(
            f"camera {source} has no triggered mode",
            hint="leave out --trigger, or pass an aravis: or gentl: camera",
        )
    if settings and not camera.takes_settings:
        camera.close()
        raise InputError(
            f"camera {source} takes no settings",
            hint="leave out --set, or pass a video device, an aravis: or a gentl: camera",
        )
    if fps is None or camera.fps == fps:
        return camera
    if camera.live:
        camera.close()
        request.refuse_fps()
    return PacedCamera(camera, fps)
