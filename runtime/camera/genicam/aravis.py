"""GigE Vision and USB3 Vision cameras through Aravis, by GObject introspection.

Source: Aravis 0.8's reference manual. Neither library is imported before such a camera is asked
for.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from runtime.camera.base import Camera, CameraRequest
from runtime.camera.genicam.camera import GenicamCamera
from runtime.camera.genicam.device import Delivery, Device, SettingError
from runtime.camera.genicam.features import FEATURES, names_of
from runtime.camera.genicam.target import parse_target
from runtime.camera.live.feed import CannotOpen, StreamFault
from runtime.errors import InputError

PACKAGES = "aravis-tools-cli gir1.2-aravis-0.8 python3-gi"

MOST_BUFFERS = 16
FEWEST_BUFFERS = 4
BUFFER_BYTES = 256 * 2**20
"""Memory for frames that wait, as far as the fewest buffers fit into it."""

_MICROSECONDS = 1e6
_PROBLEMS = {
    "missing-packets": "incomplete: some of its packets were lost",
    "timeout": "incomplete: the rest of it did not come in time",
    "size-mismatch": "its size is not the announced one",
    "wrong-packet-id": "incomplete: a packet had an impossible number",
    "aborted": "incomplete: the transfer was ended",
}
_COUNTERS = (
    "completed_buffers",
    "failures",
    "underruns",
    "timeouts",
    "aborted",
    "missing_frames",
    "size_mismatch_errors",
    "received_packets",
    "missing_packets",
    "resend_requests",
    "resent_packets",
)


def load_aravis() -> tuple[Any, Any]:
    """Return the modules Aravis and GLib.

    Raises:
        InputError: they are not installed.
    """
    try:
        import gi

        gi.require_version("Aravis", "0.8")
        from gi.repository import Aravis, GLib
    except (ImportError, ValueError) as error:
        raise InputError(
            f"an aravis: camera needs Aravis, which this Python does not have ({error})",
            hint=f"install the Debian packages {PACKAGES}, and run edgecl with the system's "
            "Python or in a virtual environment made with --system-site-packages",
            code="package-missing",
        ) from error
    return Aravis, GLib


def open_aravis(request: CameraRequest) -> Camera:
    """Open `aravis:`, `aravis:ID` or `aravis:ADDRESS`, with settings behind a `?`.

    Raises:
        InputError: Aravis is missing, or the camera cannot be opened.
    """
    aravis, glib = load_aravis()
    target = parse_target(request.source.target, request.source.text)
    return GenicamCamera(
        request, lambda: AravisDevice(aravis, glib, target.device), target.settings
    )


class AravisDevice(Device):
    """Connection through Aravis.

    Args:
        aravis, glib: the modules.
        name: the camera's id, serial number or address; empty for the first that is found.

    Raises:
        CannotOpen: there is no such camera, or another program has it.
    """

    def __init__(self, aravis: Any, glib: Any, name: str) -> None:
        self._aravis = aravis
        self._error = glib.Error
        self._gone = gone = threading.Event()
        self._stream: Any = None
        try:
            self._camera = aravis.Camera.new(name or None)
        except glib.Error as error:
            raise CannotOpen(_why_not(aravis, error, name)) from error
        self._device = self._camera.get_device()
        self._device.connect("control-lost", lambda _: gone.set())
        self._camera.set_range_check_policy(aravis.RangeCheckPolicy.ENABLE)
        with self._explained("its description cannot be read"):
            parts = (
                self._camera.get_vendor_name(),
                self._camera.get_model_name(),
                self._camera.get_device_serial_number(),
            )
        self.description = " ".join(filter(None, parts))

    @property
    def lost(self) -> bool:
        """Whether the heartbeat ended."""
        return self._gone.is_set()

    def settings(self) -> dict[str, str]:
        """Read what the camera has of the features that matter."""
        found = {}
        for feature in FEATURES:
            node = self._node(feature)
            if node is not None:
                # Some are there and locked, such as a rate that is switched off.
                with contextlib.suppress(self._error):
                    found[node.get_name()] = str(node.get_value_as_string())
        return found

    def set(self, feature: str, value: str) -> str:
        """Set a feature by the name of any version of the standard, and read it back."""
        node = self._node(feature)
        if node is None:
            raise SettingError(f"the camera has no feature {feature}")
        with self._explained(f"the camera does not take {feature}={value}"):
            node.set_value_from_string(value)
            return str(node.get_value_as_string())

    def set_trigger(self, trigger: str | None) -> None:
        """Let frames wait for a trigger, or let them come freely."""
        with self._explained(f"the camera takes no {trigger or 'free'} trigger"):
            if trigger is None:
                self._camera.clear_triggers()
                return
            sources = list(self._camera.dup_available_trigger_sources())
            prefix = trigger.capitalize()
            chosen = next((source for source in sources if source.startswith(prefix)), None)
            if chosen is None:
                offered = ", ".join(sources) or "none"
                raise SettingError(f"the camera has no {trigger} trigger; it has {offered}")
            self._camera.set_trigger(chosen)

    def start(self) -> None:
        """Make a stream with buffers, and begin."""
        with self._explained("the camera does not begin to deliver"):
            if self._camera.is_gv_device():
                # The largest packet that passes, as every stream's first step.
                adjustment = self._aravis.GvPacketSizeAdjustment.ONCE
                self._camera.gv_set_packet_size_adjustment(adjustment)
            size = self._camera.get_payload()
            self._stream = self._camera.create_stream(None, None)
            if self._stream is None:
                raise SettingError("the camera offers no stream")
            count = max(FEWEST_BUFFERS, min(MOST_BUFFERS, BUFFER_BYTES // max(1, size)))
            for _ in range(count):
                self._stream.push_buffer(self._aravis.Buffer.new_allocate(size))
            self._camera.set_acquisition_mode(self._aravis.AcquisitionMode.CONTINUOUS)
            self._camera.start_acquisition()
        self.link = self._read_link()

    def fetch(self, timeout_s: float) -> Delivery | None:
        """Take the oldest buffer that is filled, and give it back."""
        if timeout_s > 0:
            buffer = self._stream.timeout_pop_buffer(int(timeout_s * _MICROSECONDS))
        else:
            buffer = self._stream.try_pop_buffer()
        if buffer is None:
            return None
        try:
            return self._delivery(buffer)
        finally:
            self._stream.push_buffer(buffer)

    def fire(self) -> None:
        """Execute TriggerSoftware."""
        with self._explained("the camera does not take the software trigger"):
            self._camera.software_trigger()

    def period_s(self) -> float | None:
        """Return one over the frame rate."""
        try:
            if self._camera.is_frame_rate_available():
                rate = float(self._camera.get_frame_rate())
                return 1 / rate if rate > 0 else None
        except self._error:
            pass  # it may be there and not readable
        return None

    def counters(self) -> dict[str, int]:
        """Read the stream's statistics."""
        stream = self._stream
        if stream is None:
            return {}
        names = {stream.get_info_name(row) for row in range(stream.get_n_infos())}
        return {
            name: int(stream.get_info_uint64_by_name(f"n_{name}"))
            for name in _COUNTERS
            if f"n_{name}" in names
        }

    def close(self) -> None:
        """Stop, unless nobody is there to be told: each command would wait for an answer."""
        if self._stream is not None and not self.lost:
            with contextlib.suppress(self._error):
                self._camera.stop_acquisition()
        # The library gives the camera back with the last reference.
        self._stream = self._device = self._camera = None

    def _node(self, feature: str) -> Any:
        for name in names_of(feature):
            try:
                if self._device.is_feature_available(name):
                    return self._device.get_feature(name)
            except self._error:
                continue
        return None

    def _delivery(self, buffer: Any) -> Delivery:
        status = buffer.get_status().value_nick
        problem = "" if status == "success" else _PROBLEMS.get(status, f"incomplete: {status}")
        data = b""
        if not problem:
            data = buffer.get_image_data() or b""
            problem = "" if data else "it holds no image"
        if problem:
            return Delivery(b"", 0, 0, 0, frame_id=buffer.get_frame_id(), problem=problem)
        return Delivery(
            data,
            buffer.get_image_pixel_format(),
            buffer.get_image_height(),
            buffer.get_image_width(),
            buffer.get_image_padding().x_padding,
            buffer.get_frame_id(),
            device_ns=buffer.get_timestamp() or None,
        )

    def _read_link(self) -> dict[str, str | int]:
        if not self._camera.is_gv_device():
            return {"protocol": "USB3 Vision"}
        found: dict[str, str | int] = {"protocol": "GigE Vision"}
        with contextlib.suppress(self._error):
            found["packet_size"] = int(self._camera.gv_get_packet_size())
        for key, address in (
            ("camera_address", self._device.get_device_address()),
            ("host_address", self._device.get_interface_address()),
        ):
            found[key] = address.get_address().to_string()
        return found

    @contextlib.contextmanager
    def _explained(self, problem: str) -> Any:
        try:
            yield
        except self._error as error:
            raise SettingError(f"{problem} ({error.message})") from error


def _why_not(aravis: Any, error: Any, name: str) -> StreamFault:
    hint = "check its power, cable and address"
    with contextlib.suppress(Exception):  # only for the hint
        aravis.update_device_list()
        found = [aravis.get_device_id(row) for row in range(aravis.get_n_devices())]
        hint = f"found here: {', '.join(found)}" if found else f"{hint}; none was found here"
    problem = "it cannot be opened" if name else "no GenICam camera can be opened"
    return StreamFault(f"{problem} ({error.message})", hint)
