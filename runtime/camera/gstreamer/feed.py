"""One running GStreamer pipeline, whose appsink gives the frames."""

from __future__ import annotations

import re
import threading
import time
from contextlib import suppress
from typing import Any

from runtime.camera.gstreamer.library import Library, gstreamer
from runtime.camera.gstreamer.pixels import FORMATS, RawLayout, pixels_of
from runtime.camera.live.feed import CannotOpen, Feed, FeedEnded, FeedLost, FramePixels, StreamFault
from runtime.errors import FrameError
from runtime.image.decode import decode_gray

OPEN_TIMEOUT_S = 8.0
"""Seconds until the first frame must be there."""

READ_TIMEOUT_S = 5.0
"""Seconds without a frame after which a pipeline has stalled."""

_SLICE_NS = 100_000_000  # between looks at what the elements report
_JPEG = "image/jpeg"
_CAPS = f"video/x-raw,format=(string){{ {', '.join(FORMATS)} }}; {_JPEG}"
_TRY = "try it with gst-launch-1.0, with fakesink in place of appsink"
_LONGEST_REASON = 200
_NO_ELEMENT = re.compile(r'no element "([^"]*)"')


class GStreamerFeed(Feed):
    """Connection that a pipeline holds.

    Args:
        text: the pipeline, as gst-launch-1.0 takes it, with one appsink.

    Raises:
        CannotOpen: GStreamer is missing, the text does not parse, an element fails, or no frame
            comes.
    """

    def __init__(self, text: str) -> None:
        self._library = gstreamer()
        self._woken = threading.Event()
        self._pipeline = _parse(self._library, text)
        self._sample: Any = None
        self._failure = ""
        try:
            self._sink = self._only_appsink(text)
            self.live = self._start()
            self._set_up_sink(text)
            self._pipeline.set_state(self._library.Gst.State.PLAYING)
            self._first: Any = self._pull(OPEN_TIMEOUT_S)
        except FeedLost as lost:
            self.close()
            raise CannotOpen(StreamFault(str(lost), _hint(str(lost)))) from None
        except FeedEnded:
            self.close()
            raise CannotOpen(StreamFault("the pipeline ended without a frame", _TRY)) from None
        except BaseException:
            self.close()
            raise

    def grab(self) -> None:
        """Wait for the next sample."""
        self._sample, self._first = self._first, None
        if self._sample is None:
            self._sample = self._pull(READ_TIMEOUT_S)

    def retrieve(self) -> FramePixels:
        """Copy the sample's pixels, or decode its JPEG."""
        sample, self._sample = self._sample, None
        buffer, caps = sample.get_buffer(), sample.get_caps()
        if buffer.has_flags(self._library.Gst.BufferFlags.CORRUPTED):
            raise FrameError("the pipeline reports the frame as damaged")
        data = buffer.extract_dup(0, buffer.get_size())
        if caps.get_structure(0).get_name() == _JPEG:
            return decode_gray(data)
        return pixels_of(data, self._layout(buffer, caps))

    def close(self) -> None:
        """Stop the pipeline."""
        self._sample = self._first = None
        self._pipeline.set_state(self._library.Gst.State.NULL)

    def wake(self) -> None:
        """End a wait for a sample in another thread."""
        self._woken.set()

    def _only_appsink(self, text: str) -> Any:
        sinks = [
            element
            for element in _elements(self._library, self._pipeline)
            if isinstance(element, self._library.GstApp.AppSink)
        ]
        if len(sinks) == 1:
            return sinks[0]
        many = f"has {len(sinks)} appsinks" if sinks else "has no appsink"
        raise CannotOpen(
            StreamFault(f"the pipeline {many}", "end it in one: … ! videoconvert ! appsink")
        )

    def _start(self) -> bool:
        """Bring the pipeline up to its first frame; whether its source is live."""
        sink, gst = self._sink, self._library.Gst
        if sink.get_caps() is None:
            sink.set_caps(gst.Caps.from_string(_CAPS))
        if self._pipeline.set_state(gst.State.PAUSED) != gst.StateChangeReturn.FAILURE:
            state = self._pipeline.get_state(int(OPEN_TIMEOUT_S * gst.SECOND))[0]
            if state != gst.StateChangeReturn.FAILURE:
                return bool(state == gst.StateChangeReturn.NO_PREROLL)
        # An element fails first and reports it then, in a thread of its own.
        raise FeedLost(self._error(wait_ns=gst.SECOND) or "an element does not start")

    def _set_up_sink(self, text: str) -> None:
        """Keep the newest frame of a live source alone, where the pipeline does not say."""
        settings: dict[str, object] = {"sync": False, "max-buffers": 1, "drop": self.live}
        own = text[text.rfind("appsink") :]
        for name, value in settings.items():
            if not re.search(rf"\b{name}\s*=", own):
                self._sink.set_property(name, value)

    def _pull(self, limit_s: float) -> Any:
        deadline = time.monotonic() + limit_s
        while True:
            sample = self._sink.try_pull_sample(_SLICE_NS)
            self._failure = self._failure or self._error()  # frames before it may still wait
            if sample is not None:
                return sample
            if self._failure:
                raise FeedLost(self._failure)
            if self._sink.is_eos():
                if self.live:
                    raise FeedLost("the pipeline ended")
                raise FeedEnded
            if self._woken.is_set():
                raise FeedLost("it was closed")
            if time.monotonic() > deadline:
                raise FeedLost(f"no frame for {limit_s:g} s", stalled=True)

    def _error(self, wait_ns: int = 0) -> str:
        """Take all messages off the bus; return the error that an element reported, in one line."""
        kinds = self._library.Gst.MessageType
        message = self._pipeline.get_bus().timed_pop_filtered(wait_ns, kinds.ERROR)
        if message is None:
            return ""
        error, details = message.parse_error()
        # The first line of the details is a place in GStreamer's source.
        more = " ".join((details or "").partition("\n")[2].split()).rstrip(".")
        reason = _one_line(error) + (f" ({more[:_LONGEST_REASON]})" if more else "")
        return f"its element {message.src.get_name()} failed: {reason}"

    def _layout(self, buffer: Any, caps: Any) -> RawLayout:
        video = self._library.GstVideo
        info = video.VideoInfo.new_from_caps(caps)
        meta = video.buffer_get_video_meta(buffer)
        place = info if meta is None else meta
        return RawLayout(
            info.finfo.name,
            info.width,
            info.height,
            place.stride[0],
            place.offset[0],
            limited=info.colorimetry.range == getattr(video.VideoColorRange, "16_235"),
        )


def _parse(library: Library, text: str) -> Any:
    try:
        return library.Gst.parse_launch(text)
    except library.Error as error:
        reason = _one_line(error)
    missing = _NO_ELEMENT.search(reason)
    if missing:
        raise CannotOpen(
            StreamFault(
                f"GStreamer has no element {missing[1]!r}",
                "check its spelling, or install its package: gstreamer1.0-plugins-good, -bad, "
                "-ugly or gstreamer1.0-libav; elements that begin with nv come with JetPack",
            )
        )
    raise CannotOpen(StreamFault(f"the pipeline does not parse: {reason}", _TRY))


def _one_line(error: Any) -> str:
    return " ".join(str(error.message).split()).rstrip(".")


def _elements(library: Library, pipeline: Any) -> list[Any]:
    found = []
    walk = pipeline.iterate_recurse()
    with suppress(StopIteration):
        while True:
            result, element = walk.next()
            if result != library.Gst.IteratorResult.OK:
                break
            found.append(element)
    return found


def _hint(problem: str) -> str:
    if "not-negotiated" in problem:
        return f"put videoconvert before appsink, which takes {', '.join(FORMATS)} or {_JPEG}"
    return f"check the camera, and the pipeline: {_TRY}"
