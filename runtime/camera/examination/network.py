"""Doctor of a GigE Vision camera's network: what it finds, and the next step.

Sources: Linux's /sys/class/net and /proc/sys/net/core; Aravis's and vendors' advice on lost
packets, which names the same five causes: small packets, small socket buffers, a slow link, a
line that drops, and a machine that is too slow.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

JUMBO_MTU = 9000
_USUAL_MTU = 1500
_HEADERS = 36  # bytes of IP, UDP and GVSP around a packet's image data
_RESENT_SHARE = 0.001
_FULL_SHARE = 0.9
_GIGABIT = 1000
_SIOCGIFADDR = 0x8915

GOOD, POOR, UNKNOWN = "good", "poor", "unknown"


@dataclass(frozen=True)
class LinkFinding:
    """One thing that was looked at.

    Args:
        name: of it.
        value: in words.
        state: `good`, `poor` or `unknown`.
        next_step: what to do; empty where nothing has to be done.
    """

    name: str
    value: str
    state: str
    next_step: str = ""


@dataclass(frozen=True)
class Host:
    """This machine's end of the cable.

    Args:
        interface: its name; empty where none has the address.
        mtu: bytes of the largest packet.
        speed_mbit: Mbit/s; None where the driver does not tell.
        rmem_max: bytes, the largest receive buffer that a socket may have.
    """

    interface: str
    mtu: int | None = None
    speed_mbit: int | None = None
    rmem_max: int | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether the camera is a simulated one on this machine."""
        return self.interface == "lo"


@dataclass(frozen=True)
class Traffic:
    """Traffic of the camera while it was measured.

    Args:
        frame_bytes: of one frame as it is sent.
        frames_per_second: measured.
        statistics: counts of camera and driver by name.
    """

    frame_bytes: int
    frames_per_second: float
    statistics: Mapping[str, int]


def host_of(address: str, root: Path = Path("/")) -> Host:
    """Look up the interface that has an address, and its limits.

    Args:
        address: IPv4, of this machine.
        root: of the file system; tests have their own.
    """
    interface = _interface_with(address)
    folder = root / "sys/class/net" / interface
    return Host(
        interface,
        _number_in(folder / "mtu") if interface else None,
        _number_in(folder / "speed") if interface else None,
        _number_in(root / "proc/sys/net/core/rmem_max"),
    )


def examine_network(
    host: Host, link: Mapping[str, str | int], traffic: Traffic
) -> list[LinkFinding]:
    """Return what was found, with the next step where one helps.

    Args:
        host: this machine's end.
        link: facts of the connection; see `Camera.link`.
        traffic: what was measured.
    """
    return [
        *_mtu(host),
        *_packet_size(host, link),
        *_socket_buffer(host, traffic),
        *_speed(host, traffic),
        *_packets(traffic.statistics),
    ]


def _mtu(host: Host) -> Iterator[LinkFinding]:
    where = f" of {host.interface}" if host.interface else ""
    if host.mtu is None:
        yield LinkFinding("MTU", "not known", UNKNOWN, f"see 'ip link' for the interface{where}")
    elif host.mtu < JUMBO_MTU:
        yield LinkFinding(
            "MTU",
            f"{host.mtu}{where}",
            POOR,
            f"set it to {JUMBO_MTU}: sudo ip link set {host.interface} mtu {JUMBO_MTU}; the camera "
            "and every switch between must take it too",
        )
    else:
        yield LinkFinding("MTU", f"{host.mtu}{where}", GOOD)


def _packet_size(host: Host, link: Mapping[str, str | int]) -> Iterator[LinkFinding]:
    size = link.get("packet_size")
    if not isinstance(size, int):
        yield LinkFinding(
            "packet size", "not known", UNKNOWN, "see GevSCPSPacketSize of the camera"
        )
    elif size < min(host.mtu or _USUAL_MTU, JUMBO_MTU) * _FULL_SHARE and not host.is_loopback:
        yield LinkFinding(
            "packet size",
            f"{size} bytes pass",
            POOR,
            f"the interface takes {host.mtu}: let the switch pass jumbo frames, and set "
            "GevSCPSPacketSize of the camera",
        )
    else:
        yield LinkFinding("packet size", f"{size} bytes pass", GOOD)


def _socket_buffer(host: Host, traffic: Traffic) -> Iterator[LinkFinding]:
    needed = traffic.frame_bytes
    if host.rmem_max is None:
        yield LinkFinding("socket buffer", "not known", UNKNOWN, "see 'sysctl net.core.rmem_max'")
    elif host.rmem_max < needed:
        yield LinkFinding(
            "socket buffer",
            f"at most {host.rmem_max} bytes, less than a frame's {needed}",
            POOR,
            f"sudo sysctl -w net.core.rmem_max={_rounded_up(2 * needed)}, and the same in "
            "/etc/sysctl.d for the next start",
        )
    else:
        yield LinkFinding("socket buffer", f"up to {host.rmem_max} bytes", GOOD)


def _speed(host: Host, traffic: Traffic) -> Iterator[LinkFinding]:
    needed = traffic.frame_bytes * traffic.frames_per_second * 8 / 1e6
    rate = f"frames take {needed:.0f} Mbit/s"
    if host.speed_mbit is None or host.speed_mbit <= 0:
        if not host.is_loopback:
            yield LinkFinding(
                "link speed", f"not known; {rate}", UNKNOWN, "see 'ethtool' for the link"
            )
        return
    value = f"{host.speed_mbit} Mbit/s; {rate}"
    if host.speed_mbit < _GIGABIT:
        step = "use a gigabit port, and a cable with all four pairs (Cat 5e or better)"
        yield LinkFinding("link speed", value, POOR, step)
    elif needed > _FULL_SHARE * host.speed_mbit:
        step = "lower AcquisitionFrameRate, the ROI or the bits per pixel, or use a faster link"
        yield LinkFinding("link speed", value, POOR, step)
    else:
        yield LinkFinding("link speed", value, GOOD)


def _packets(statistics: Mapping[str, int]) -> Iterator[LinkFinding]:
    received = statistics.get("received_packets", 0)
    if not received:
        return
    resent, missing = statistics.get("resent_packets", 0), statistics.get("missing_packets", 0)
    poor = resent > _RESENT_SHARE * received
    step = "raise GevSCPD, the pause between packets, by steps; try another cable and port"
    value = f"{resent} of {received} packets"
    yield LinkFinding("resent", value, POOR if poor else GOOD, step * poor)
    poor = missing > 0
    step = "frames were incomplete: first correct what is poor above, then raise GevSCPD"
    yield LinkFinding("missing", f"{missing} packets", POOR if poor else GOOD, step * poor)
    underruns = statistics.get("underruns", 0)
    if underruns:
        step = "this machine was too slow to take them: end other programs, or lower the frame rate"
        yield LinkFinding("underruns", f"{underruns} frames", POOR, step)


def _rounded_up(size: int) -> int:
    """Return the next power of two."""
    return 1 << (size - 1).bit_length()


def _number_in(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # a link that is down has no speed
        return None


def _interface_with(address: str) -> str:
    """Return the name of the interface with an IPv4 address; empty where none has it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
            except OSError:  # it has no address
                continue
            if socket.inet_ntoa(answer[20:24]) == address:
                return name
    return ""
