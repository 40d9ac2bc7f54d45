"""Source behind `--camera`, sorted by kind."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from runtime.errors import InputError

ALTERNATIVES = "pass a video file to --camera, or try '--camera demo'"
SCHEMES = ("http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "tcp", "srt", "mms")
# Streams of these may be waited for on any address of this machine: udp://@:5000.
_LISTENING = frozenset({"udp", "rtp", "srt", "tcp"})
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")


class Kind:
    """Kinds of sources that are built in."""

    DEMO = "demo"
    DEVICE = "device"
    ADDRESS = "address"
    PIPELINE = "pipeline"
    CSI = "csi"
    STORED = "stored"
    ARAVIS = "aravis"
    GENTL = "gentl"


@dataclass(frozen=True)
class CameraSource:
    """One source of frames.

    Args:
        kind: of `Kind`, or the name of a kind that an installed package adds.
        text: as it was given.
        path: of a file, a folder, or a device's node.
        index: of a video device that was named by its number.
        target: what follows `NAME:` for a kind that a package adds, and for `csi:`,
            `aravis:` and `gentl:`.
    """

    kind: str
    text: str
    path: Path = Path()
    index: int | None = None
    target: str = ""


def sort_source(text: str, is_added: Callable[[str], bool] = lambda name: False) -> CameraSource:
    """Return the kind of a source. An existing name is taken for what it is.

    Args:
        text: the index of a video device, `/dev/videoN` or another name of a device's node, a
            stream's address, a GStreamer pipeline (with ` ! ` in it), a Jetson's camera
            (`csi:0`), a GenICam camera (`aravis:ID`, `gentl:PRODUCER.cti`), a file, a folder,
            `demo`, or `NAME[:TARGET]` for a kind of camera that an installed package adds.
        is_added: tells whether a package adds a kind of that name.

    Raises:
        InputError: it is empty, nothing of that name exists, it can be two things, or neither a
            file, a folder nor a device.
    """
    if not text.strip():
        raise InputError(
            "--camera is empty",
            hint="pass a device, URL, file or folder; a variable in a script or unit file "
            "may be unset",
        )
    if text == Kind.DEMO:
        return CameraSource(Kind.DEMO, text)
    if os.path.lexists(text):
        return _existing(text)
    index = _index(text)
    if index is not None:
        return CameraSource(Kind.DEVICE, text, index=index)
    scheme = _SCHEME.match(text)
    if (scheme and scheme[1].lower() == "file") or text.startswith("file:"):
        return _existing_file(text)
    if scheme:
        return _address(text, scheme[1])
    if " ! " in text:
        return CameraSource(Kind.PIPELINE, text)
    name, _, target = text.partition(":")
    if name in (Kind.CSI, Kind.ARAVIS, Kind.GENTL):
        return CameraSource(name, text, target=target)
    if is_added(name):
        return CameraSource(name, text, target=target)
    if text.startswith("/dev/"):
        raise InputError(
            f"camera {text!r}: no such device",
            hint="plug it in; 'ls /dev/video* /dev/v4l/by-id' lists the connected devices",
        )
    raise InputError(f"camera {text!r}: no such file, folder or device", hint=ALTERNATIVES)


def device_node(index: int) -> Path:
    """Path of the video device with that number."""
    return Path(f"/dev/video{index}")


def _index(text: str) -> int | None:
    match = re.fullmatch(r"(?:/dev/video)?([0-9]{1,4})", text)
    return int(match[1]) if match else None


def _existing(text: str) -> CameraSource:
    path = Path(text)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise InputError(
            f"camera {text!r} is a link to {os.path.realpath(path)}, which does not exist",
            hint="plug in the camera, or fix the link",
        ) from None
    except OSError as error:
        raise InputError(
            f"camera {text!r} cannot be accessed: {error.strerror}",
            hint="check the path and its permissions",
        ) from error
    index = _index(text)
    if stat.S_ISCHR(mode):
        return CameraSource(
            Kind.DEVICE, text, path, index if text.startswith("/dev/video") else None
        )
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(
            f"camera {text!r} is not a file, folder or camera device",
            hint=ALTERNATIVES,
        )
    if index is not None and device_node(index).exists():
        raise InputError(
            f"camera {text!r} is both the video device {device_node(index)} and {path.absolute()}",
            hint=f"use ./{text} or {device_node(index)}",
        )
    return CameraSource(Kind.STORED, text, path)


def _existing_file(text: str) -> CameraSource:
    """A path that is written as a URL."""
    rest = text[len("file:") :]
    host, path = "", rest
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        path = slash + path
    if host not in ("", "localhost"):
        raise InputError(
            f"camera {text!r} is a file on another host, {host!r}",
            hint="use file:///PATH for a file on this machine, or mount the remote folder",
        )
    for candidate in (path, unquote(path)):
        if os.path.lexists(candidate):
            return _existing(candidate)
    raise InputError(f"camera {text!r}: no such file", hint=ALTERNATIVES)


def _address(text: str, scheme: str) -> CameraSource:
    if scheme.lower() not in SCHEMES:
        raise InputError(
            f"camera {text!r}: {scheme}:// streams are not supported",
            hint=f"choose from {', '.join(SCHEMES)}",
        )
    if re.search(r"\s", text):
        # Not shown: what stands around a blank may be a password.
        raise InputError(
            f"camera {scheme}://… has a space in its address",
            hint=f"write it as %20; {encoding_hint()}",
        )
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise InputError(f"camera {text!r} has an invalid port", hint=encoding_hint()) from None
    if not host and scheme.lower() not in _LISTENING:
        raise InputError(
            f"camera {text!r} has no host name", hint=f"write the host after ://; {encoding_hint()}"
        )
    return CameraSource(Kind.ADDRESS, text)


def encoding_hint() -> str:
    """Explain how to write an odd password."""
    return (
        "put USER:PASSWORD@ before the host and percent-encode characters such as @ # % / "
        ": ? in both (@ is %40, # is %23, % is %25, / is %2F), or pass --login-file FILE"
    )


def looks_unencoded(text: str) -> bool:
    """Whether an address's password seems to hold signs that were not percent-encoded."""
    rest = text.partition("://")[2]
    before, at, _ = rest.rpartition("@")
    if not at:
        return False
    bad_percent = re.search(r"%(?![0-9A-Fa-f]{2})", before) is not None
    return bad_percent or any(sign in before for sign in "@/#? ") or before.count(":") > 1
