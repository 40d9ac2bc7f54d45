"""CSI cameras of a Jetson: `csi:0`, or `csi:0?mode=2&fps=60`, as a pipeline."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from runtime.errors import InputError

_FORM = re.compile(r"(?P<sensor>[0-9])(?:\?(?P<options>.*))?", re.DOTALL)
# Name → the largest value. Modes are the driver's: 'v4l2-ctl --list-formats-ext' lists their sizes.
_OPTIONS = {"mode": 99, "width": 16384, "height": 16384, "fps": 1000, "flip": 7}


def csi_pipeline(target: str) -> str:
    """Return the pipeline of a CSI camera. Its luma becomes the image.

    Args:
        target: what follows `csi:`: the sensor's number, and options after a question mark.

    Raises:
        InputError: it has another form.
    """
    match = _FORM.fullmatch(target)
    if match is None:
        raise InputError(
            f"camera 'csi:{target}' names no sensor",
            hint="use csi:0 or csi:1, or csi:0?mode=2&fps=60 with options",
        )
    options = _options(match["options"] or "", f"csi:{target}")
    mode = f" sensor-mode={options['mode']}" if "mode" in options else ""
    flip = f" flip-method={options['flip']}" if "flip" in options else ""
    caps = "video/x-raw(memory:NVMM)"
    if "width" in options:
        caps += f",width={options['width']},height={options['height']}"
    if "fps" in options:
        caps += f",framerate={options['fps']}/1"
    return (
        f"nvarguscamerasrc sensor-id={match['sensor']}{mode} ! {caps} ! nvvidconv{flip} ! "
        "video/x-raw,format=NV12 ! appsink"
    )


def _options(text: str, source: str) -> dict[str, int]:
    options: dict[str, int] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name not in _OPTIONS:
            raise InputError(
                f"camera {source!r} has the unknown option {name!r}",
                hint=f"choose from {', '.join(_OPTIONS)}",
            )
        if not re.fullmatch("[0-9]{1,5}", value) or int(value) > _OPTIONS[name]:
            raise InputError(
                f"camera {source!r}: {name}={value} is not a number from 0 to {_OPTIONS[name]}",
                hint=f"give a whole number, as in {name}=2",
            )
        options[name] = int(value)
    if ("width" in options) != ("height" in options):
        raise InputError(
            f"camera {source!r} has a width or a height alone", hint="give both, or neither"
        )
    return options
