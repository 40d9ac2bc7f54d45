"""Diagnosis of an address without frames: its server is asked once more.

OpenCV's FFmpeg says only that it could not open a stream. Here the host is looked up, connected to
and asked for the stream, so that a wrong password is told from a wrong path and both from a codec.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import ssl
import urllib.error
from urllib.parse import SplitResult, unquote, urlsplit

from runtime.camera.address import encoding_hint, looks_unencoded
from runtime.camera.live.feed import StreamFault
from runtime.camera.network.web import TIMEOUT_S, ask_http

_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443}
_CONNECTED = frozenset({"rtsp", "rtsps", "rtmp", "rtmps", "tcp"})
_LONGEST_REPLY = 1 << 16

_STATUSES = {
    403: (
        "denies this user access to the stream (403)",
        "give this user permission to view the stream",
    ),
    404: ("has nothing at {path} (404)", "check the path in the camera's manual or web page"),
    410: ("has nothing at {path} any more (410)", "check the path"),
    453: ("has no bandwidth left (453)", "close other viewers, or lower the camera's bit rate"),
    454: ("has lost the session (454)", "start again"),
    461: ("offers no supported transport (461)", "allow RTP over TCP in the camera's settings"),
    503: ("is busy (503)", "check how many viewers the camera allows, and close others"),
}


def diagnose(address: str) -> StreamFault:
    """Find out why the stream at `address` cannot be opened. It takes some seconds at most."""
    parts = urlsplit(address)
    scheme, host = parts.scheme.lower(), parts.hostname or ""
    where = _where(parts)
    try:
        if scheme in ("http", "https"):
            with ask_http(address) as answer:
                return explain_status(answer.status, answer.content, address)
        if scheme in ("rtsp", "rtsps"):
            return explain_status(_ask_rtsp(parts), "", address)
        if scheme in _CONNECTED:
            socket.create_connection((host, _port(parts)), TIMEOUT_S).close()
    except urllib.error.URLError as error:
        return explain_failure(error.reason, address)
    except (OSError, ValueError) as error:
        return explain_failure(error, address)
    if scheme in _CONNECTED:
        return _no_video(f"{where} responds, but sends")
    return StreamFault(
        f"no decodable data arrived within {TIMEOUT_S:g} s",
        "check the address and the port, and that the sender is running",
    )


def explain_status(status: int, content: str, address: str) -> StreamFault:
    """Explain what a server answered in place of a stream."""
    parts = urlsplit(address)
    where = f"{parts.hostname}"
    if status == 401:
        given = parts.username is not None
        problem = "rejects the user or password (401)" if given else "asks for a password (401)"
        return StreamFault(f"{where} {problem}", f"check both; {encoding_hint()}")
    if status in _STATUSES:
        problem, hint = _STATUSES[status]
        return StreamFault(f"{where} {problem.format(path=parts.path or '/')}", hint)
    if status >= 400:
        return StreamFault(
            f"{where} responds with the error {status}", "check the camera's own log"
        )
    if content.startswith("text/html"):
        return StreamFault(
            f"{where} responds with a web page, not a video",
            "use the stream's own address, given in the camera's manual or web page",
        )
    kind = f" ({content})" if content else ""
    return _no_video(f"{where} responds{kind}, but sends")


def _no_video(what: str) -> StreamFault:
    return StreamFault(
        f"{what} no video that OpenCV's FFmpeg can decode",
        "set the camera to Motion JPEG or H.264, and check that nothing else is at this address",
    )


def explain_failure(error: object, address: str) -> StreamFault:
    """Explain why a server could not be asked."""
    parts = urlsplit(address)
    host, where = parts.hostname or "", _where(parts)
    hint = f"; {encoding_hint()}" if looks_unencoded(address) else ""
    if isinstance(error, socket.gaierror):
        return StreamFault(
            f"the host name {host!r} is unknown",
            f"check its spelling and the name server, or use its IP address{hint}",
        )
    if isinstance(error, ConnectionRefusedError):
        return StreamFault(
            f"{where} refuses connections",
            f"check the port, and that the camera's stream is switched on{hint}",
        )
    if isinstance(error, TimeoutError):
        return StreamFault(
            f"{where} did not respond within {TIMEOUT_S:g} s",
            "check the camera's power, cable and address, and the firewall",
        )
    if isinstance(error, ssl.SSLError):
        return StreamFault(
            f"{where} offers no trusted encryption ({error.reason or 'TLS failed'})",
            "install the camera's certificate, or use its unencrypted address",
        )
    if isinstance(error, OSError) and error.strerror:
        return StreamFault(
            f"{where} cannot be reached: {error.strerror}", "check the network of this machine"
        )
    return StreamFault(f"{where} does not respond like such a server", f"check the address{hint}")


def _where(parts: SplitResult) -> str:
    return f"{parts.hostname or ''}:{_port(parts)}"


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS.get(parts.scheme.lower(), 0)


def _ask_rtsp(parts: SplitResult) -> int:
    """Describe the stream, as RFC 2326 has it; once more with the password where one is wanted."""
    host = parts.hostname or ""
    target = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
    with socket.create_connection((host, _port(parts)), TIMEOUT_S) as plain:
        link: socket.socket = plain
        if parts.scheme.lower() == "rtsps":
            link = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        status, head = _describe(link, target, 1)
        if status == 401 and parts.username is not None:
            proof = _authorization(head, parts, target)
            if proof:
                status, head = _describe(link, target, 2, f"Authorization: {proof}\r\n")
    return status


def _describe(link: socket.socket, target: str, number: int, more: str = "") -> tuple[int, str]:
    request = (
        f"DESCRIBE {target} RTSP/1.0\r\nCSeq: {number}\r\nAccept: application/sdp\r\n{more}\r\n"
    )
    link.sendall(request.encode("utf-8"))
    reply = b""
    while b"\r\n\r\n" not in reply and len(reply) < _LONGEST_REPLY:
        block = link.recv(4096)
        if not block:
            break
        reply += block
    head = reply.decode("latin-1")
    match = re.match(r"RTSP/1\.\d (\d{3})", head)
    if match is None:
        raise ValueError("no RTSP response")
    return int(match[1]), head


def _authorization(head: str, parts: SplitResult, target: str) -> str:
    """The Authorization line that the server's challenge asks for (RFC 2617, without `qop`)."""
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    challenges = re.findall(r"^WWW-Authenticate:\s*(\w+)\s*(.*?)\r?$", head, re.I | re.M)
    for kind, rest in challenges:
        if kind.lower() == "digest":
            fields = dict(re.findall(r'(\w+)="([^"]*)"', rest))
            realm, nonce = fields.get("realm", ""), fields.get("nonce", "")
            one = _md5(f"{user}:{realm}:{password}")
            proof = _md5(f"{one}:{nonce}:{_md5(f'DESCRIBE:{target}')}")
            return (
                f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{target}", '
                f'response="{proof}"'
            )
    for kind, _ in challenges:
        if kind.lower() == "basic":
            return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return ""


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
