"""Opening of the camera behind a stream's address."""

from __future__ import annotations

import urllib.error

from runtime.camera.base import Camera, CameraRequest
from runtime.camera.device import DeviceCamera
from runtime.camera.live.feed import StreamFault
from runtime.camera.network.diagnosis import explain_failure, explain_status
from runtime.camera.network.fetched import open_fetched
from runtime.camera.network.motion_jpeg import open_motion_jpeg
from runtime.camera.network.web import Answer, ask
from runtime.camera.stored.opening import open_path
from runtime.errors import InputError
from runtime.secrets import redact

_PAGE = "text/html"


def open_address(request: CameraRequest) -> Camera:
    """Open an address: Motion JPEG in parts, a stored file, which is fetched, or a live stream.

    Raises:
        InputError: its server cannot be reached, refuses, or sends no video.
    """
    address = request.source.text
    if not address.lower().startswith("http"):
        request.refuse_fps()
        return _open_stream(request)
    try:
        answer = ask(address)
    except urllib.error.URLError as error:
        raise _refusal(explain_failure(error.reason, address), address) from error
    except OSError as error:
        raise _refusal(explain_failure(error, address), address) from error
    except ValueError:
        # Not quite a web server, as some cameras are: FFmpeg may understand it.
        return _open_stream(request)
    return _open_answered(request, answer)


def _open_answered(request: CameraRequest, answer: Answer) -> Camera:
    address = request.source.text
    try:
        if answer.in_parts:
            camera = open_motion_jpeg(request, answer)
            answer = Answer(answer.status)  # the connection is the camera's now
            return camera
        if answer.status != 200 or answer.content == _PAGE:
            raise _refusal(explain_status(answer.status, answer.content, address), address)
        if answer.length is not None:
            return open_fetched(address, answer, open_path)
    finally:
        answer.close()
    # Without a length it may be a stored file all the same.
    return _open_stream(request, may_end=not answer.live)


def _open_stream(request: CameraRequest, *, may_end: bool = False) -> Camera:
    return DeviceCamera(
        request.source.text,
        report=request.report,
        give_up_after=request.give_up_after,
        may_end=may_end,
    )


def _refusal(fault: StreamFault, address: str) -> InputError:
    return InputError(
        f"camera {redact(address)}: {fault.problem}", hint=fault.hint, code=fault.code
    )
