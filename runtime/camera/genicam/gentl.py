"""Cameras behind a vendor's GenTL producer, through harvesters: frame grabbers, USB3, CoaXPress.

Source: GenTL 1.6 and harvesters 1.4. Buffers are taken raw: harvesters' own images keep the padding
behind lines. It does not tell when a camera is gone, so only frames that do not come show it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np

from runtime.camera.base import Camera, CameraRequest
from runtime.camera.genicam.camera import GenicamCamera
from runtime.camera.genicam.device import Delivery, Device, SettingError
from runtime.camera.genicam.features import FEATURES, names_of
from runtime.camera.genicam.target import parse_target
from runtime.camera.live.feed import CannotOpen, StreamFault
from runtime.errors import InputError

BUFFERS = 8
_LEAST_WAIT_S = 0.001  # harvesters takes 0 for ever
_COUNTERS = {"completed_buffers": "num_delivered", "underruns": "num_underrun"}

_open_producers: dict[Path, tuple[Any, int]] = {}
_opening = threading.Lock()

# harvesters would write to standard error what is told here in one line.
LOG = logging.getLogger("edgecl.camera.gentl")
LOG.addHandler(logging.NullHandler())


def load_harvesters() -> tuple[Any, Any, Any]:
    """Return harvesters.core, genicam.genapi and genicam.gentl.

    Raises:
        InputError: they are not installed.
    """
    try:
        from genicam import genapi, gentl
        from harvesters import core
    except ImportError as error:
        raise InputError(
            f"a gentl: camera needs harvesters, which is not installed ({error})",
            hint="install it: pip install 'edgecl[genicam]'",
            code="package-missing",
        ) from error
    return core, genapi, gentl


def open_gentl(request: CameraRequest) -> Camera:
    """Open `gentl:PRODUCER.cti`, or `gentl:PRODUCER.cti#N`, with settings behind a `?`.

    Raises:
        InputError: harvesters or the producer is missing, or the camera cannot be opened.
    """
    target = parse_target(request.source.target, request.source.text)
    file, _, wanted = target.device.partition("#")
    producer = Path(file)
    if not producer.is_file():
        raise InputError(
            f"camera {request.source.text!r}: there is no GenTL producer {file!r}",
            hint="pass the .cti file of the vendor's software: gentl:/opt/VENDOR/lib/producer.cti",
        )
    modules = load_harvesters()
    return GenicamCamera(request, lambda: GentlDevice(modules, producer, wanted), target.settings)


class GentlDevice(Device):
    """Connection through a GenTL producer.

    Args:
        modules: what `load_harvesters` returned.
        producer: the .cti file.
        wanted: number, id or serial number of the camera; empty for the first.

    Raises:
        CannotOpen: the producer cannot be used, or has no such camera.
    """

    def __init__(self, modules: tuple[Any, Any, Any], producer: Path, wanted: str) -> None:
        core, genapi, gentl = modules
        self._errors: tuple[type[Exception], ...] = (
            genapi.GenericException,
            gentl.GenericException,
        )
        self._refusals = (AttributeError, *self._errors)
        self._core = core
        self._producer = producer.resolve()
        self._acquirer: Any = None
        self._uses = False
        self._parts = gentl.PAYLOADTYPE_INFO_IDS.PAYLOAD_TYPE_MULTI_PART
        try:
            harvester = self._take_producer()
            found = harvester.device_info_list
            number = _number_of(found, wanted)
            self._acquirer = harvester.create(number)
            self.description = found[number].display_name
        except (*self._errors, OSError) as error:
            self.close()
            problem = f"the producer {producer} cannot be used ({error})"
            hint = "check the producer, and whether another program uses the camera"
            raise CannotOpen(StreamFault(problem, hint)) from error
        except BaseException:
            self.close()
            raise
        self._nodes = self._acquirer.remote_device.node_map
        self.link = {"protocol": "GenTL", "producer": producer.name}

    @property
    def lost(self) -> bool:
        """Nothing tells."""
        return False

    def settings(self) -> dict[str, str]:
        """Read what the camera has of the features that matter."""
        found = {}
        for feature in FEATURES:
            for name in names_of(feature):
                with contextlib.suppress(AttributeError, *self._errors):
                    found[name] = str(getattr(self._nodes, name).to_string())
                    break
        return found

    def set(self, feature: str, value: str) -> str:
        """Set a feature by the name of any version of the standard, and read it back."""
        for name in names_of(feature):
            node = getattr(self._nodes, name, None)
            if node is not None:
                with self._explained(f"the camera does not take {feature}={value}"):
                    node.from_string(value)
                    return str(node.to_string())
        raise SettingError(f"the camera has no feature {feature}")

    def set_trigger(self, trigger: str | None) -> None:
        """Let frames wait for a trigger, or let them come freely."""
        if getattr(self._nodes, "TriggerMode", None) is None:
            if trigger is not None:
                raise SettingError(f"the camera has no {trigger} trigger")
            return
        if hasattr(self._nodes, "TriggerSelector"):
            self.set("TriggerSelector", "FrameStart")
        if trigger is not None:
            with self._explained(f"the camera has no {trigger} trigger"):
                sources = list(self._nodes.TriggerSource.symbolics)
            prefix = trigger.capitalize()
            chosen = next((source for source in sources if source.startswith(prefix)), None)
            if chosen is None:
                offered = ", ".join(sources) or "none"
                raise SettingError(f"the camera has no {trigger} trigger; it has {offered}")
            self.set("TriggerSource", chosen)
        self.set("TriggerMode", "Off" if trigger is None else "On")

    def start(self) -> None:
        """Announce buffers, and begin."""
        with self._explained("the camera does not begin to deliver"):
            self._acquirer.num_buffers = max(BUFFERS, self._acquirer.min_num_buffers)
            self._acquirer.start()

    def fetch(self, timeout_s: float) -> Delivery | None:
        """Take the oldest buffer that is filled, and give it back."""
        buffer = self._acquirer.try_fetch(timeout=max(_LEAST_WAIT_S, timeout_s), is_raw=True)
        if buffer is None:
            return None
        try:
            return self._delivery(buffer)
        finally:
            with contextlib.suppress(*self._errors):
                buffer.parent.queue_buffer(buffer)

    def fire(self) -> None:
        """Execute TriggerSoftware."""
        with self._explained("the camera does not take the software trigger"):
            self._nodes.TriggerSoftware.execute()

    def period_s(self) -> float | None:
        """Return one over the frame rate."""
        with contextlib.suppress(AttributeError, *self._errors):
            rate = float(self._nodes.AcquisitionFrameRate.value)
            return 1 / rate if rate > 0 else None
        return None

    def counters(self) -> dict[str, int]:
        """Read the producer's statistics, as far as it has them."""
        found = {}
        for name, theirs in _COUNTERS.items():
            with contextlib.suppress(AttributeError, IndexError, *self._errors):
                found[name] = int(getattr(self._acquirer.data_streams[0].module, theirs))
        return found

    def close(self) -> None:
        """Give the camera and the producer back."""
        acquirer, self._acquirer = self._acquirer, None
        # Whoever opens a camera meanwhile would meet its stream half closed.
        with _opening, contextlib.suppress(*self._errors):
            if acquirer is not None:
                acquirer.destroy()
        self._leave_producer()

    def _take_producer(self) -> Any:
        """Open the producer, or share it: none can be opened twice in a process."""
        with _opening:
            harvester, users = _open_producers.get(self._producer, (None, 0))
            if harvester is None:
                harvester = self._core.Harvester(logger=LOG)
                harvester.add_file(str(self._producer), check_existence=True, check_validity=True)
            _open_producers[self._producer] = harvester, users + 1
            self._uses = True
            harvester.update()
            return harvester

    def _leave_producer(self) -> None:
        with _opening:
            if not self._uses:
                return
            self._uses = False
            harvester, users = _open_producers[self._producer]
            if users > 1:
                _open_producers[self._producer] = harvester, users - 1
                return
            del _open_producers[self._producer]
            with contextlib.suppress(*self._errors):
                harvester.reset()

    def _delivery(self, buffer: Any) -> Delivery:
        frame_id = self._info(buffer, "frame_id")
        problem = ""
        if not self._complete(buffer):
            problem = "incomplete: the producer says so"
        elif self._info(buffer, "payload_type") == self._parts:
            problem = "its buffer holds several parts, which are not read"
        if problem:
            return Delivery(b"", 0, 0, 0, frame_id=frame_id, problem=problem)
        # A view of the memory that the producer fills again, although it is of type bytes.
        shared = np.frombuffer(buffer.raw_buffer, np.uint8)
        start = self._info(buffer, "image_offset") or 0
        return Delivery(
            shared[start : self._info(buffer, "size_filled")].copy(),
            buffer.pixel_format,
            self._info(buffer, "height") or self._nodes.Height.value,
            self._info(buffer, "width") or self._nodes.Width.value,
            self._info(buffer, "padding_x") or 0,
            frame_id,
            device_ns=self._info(buffer, "timestamp_ns"),
        )

    def _complete(self, buffer: Any) -> bool:
        try:
            return bool(buffer.is_complete())
        except self._errors:  # not every producer tells
            return True

    def _info(self, buffer: Any, name: str) -> Any:
        """A fact of a buffer; None where the producer does not tell."""
        try:
            return getattr(buffer, name)
        except self._errors:
            return None

    @contextlib.contextmanager
    def _explained(self, problem: str) -> Any:
        try:
            yield
        except self._refusals as error:
            words = str(error).partition(" : ")[0]  # what follows names a line of their source
            raise SettingError(f"{problem} ({words})") from error


def _number_of(found: Any, wanted: str) -> int:
    """The camera's place in the producer's list."""
    names = [(info.id_, info.serial_number) for info in found]
    for number, own in enumerate(names):
        if wanted in ("", str(number), *own):
            return number
    listed = ", ".join(f"#{number} {own[0]}" for number, own in enumerate(names))
    problem = f"the producer has no camera {wanted!r}" if names else "the producer finds no camera"
    hint = f"choose from {listed}" if names else "check the camera's power and cable"
    raise CannotOpen(StreamFault(problem, hint))
