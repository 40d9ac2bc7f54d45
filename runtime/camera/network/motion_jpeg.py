"""Motion JPEG over HTTP, read as the parts that the camera sends.

FFmpeg decodes an image that was cut on its way without an error, and fills it up with gray. Here
each part goes through the decoder of training, which says what is wrong with it.
"""

from __future__ import annotations

import urllib.error
from collections.abc import Callable

from runtime.camera.base import Camera, CameraRequest
from runtime.camera.live.camera import LiveCamera
from runtime.camera.live.feed import CannotOpen, Feed, FramePixels, StreamFault
from runtime.camera.network.diagnosis import explain_failure, explain_status
from runtime.camera.network.multipart import LARGEST_PART, PartReader, StreamPart
from runtime.camera.network.web import Answer, ask
from runtime.errors import FrameError
from runtime.image.decode import decode_gray
from runtime.secrets import redact

MOST_WAITING = 32
"""Images that may wait in a connection; beyond it all but the newest are passed over."""

_BLOCK = 1 << 16
_JPEG = b"\xff\xd8"


class MotionJpegFeed(Feed):
    """One connection to a camera that sends parts.

    Args:
        answer: the camera's, whose body is in parts. It is closed with this.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._parts = PartReader(
            lambda: bytes(answer.body.read1(_BLOCK)), largest=LARGEST_PART, ready=answer.ready
        )
        self._part = StreamPart(b"")

    def grab(self) -> None:
        """Wait for the last byte of the next part, or of the newest where too many wait."""
        self._parts.pass_over(MOST_WAITING)
        self.overtaken = self._parts.overtaken
        self._part = self._parts.next()

    def retrieve(self) -> FramePixels:
        """Decode the part: uint8 gray, H×W."""
        part = self._part
        if part.fault:
            raise FrameError(part.fault)
        if not part.data:
            raise FrameError("the part is empty")
        if not part.data.startswith(_JPEG):
            kind = part.content or "no type"
            raise FrameError(f"the part is not a JPEG ({kind}, {len(part.data):,} bytes)")
        return decode_gray(part.data)

    def close(self) -> None:
        """Close the connection."""
        self._answer.shut()
        self._answer.close()

    def wake(self) -> None:
        """End a read in another thread."""
        self._answer.shut()


def open_motion_jpeg(request: CameraRequest, answer: Answer) -> Camera:
    """Open a camera that has answered in parts. Its answer is the first connection."""
    request.refuse_fps()
    address = request.source.text
    return LiveCamera(
        f"camera {redact(address)}",
        _opener(address, answer),
        report=request.report,
        give_up_after=request.give_up_after,
    )


def _opener(address: str, first: Answer) -> Callable[[], Feed]:
    """Opener of feeds that uses the answer at hand first: some cameras allow one viewer."""
    at_hand = [first]

    def open_feed() -> Feed:
        if at_hand:
            return MotionJpegFeed(at_hand.pop())
        try:
            answer = ask(address)
        except urllib.error.URLError as error:
            raise CannotOpen(explain_failure(error.reason, address)) from error
        except (OSError, ValueError) as error:
            raise CannotOpen(explain_failure(error, address)) from error
        if answer.in_parts:
            return MotionJpegFeed(answer)
        answer.close()
        if answer.status == 200:
            kind = answer.content or "nothing"
            raise CannotOpen(StreamFault(f"it now sends {kind}, not parts", "start again"))
        raise CannotOpen(explain_status(answer.status, answer.content, address))

    return open_feed
