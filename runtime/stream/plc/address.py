"""The address at which a PLC finds edgecl: what `--sink modbus:` says."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from runtime.errors import InputError
from runtime.listening import is_loopback, place_text
from runtime.stream.budget import parse_time
from runtime.stream.plc.handshake import HandshakeRules

PORT = 502
EXAMPLE = "modbus:192.168.0.10:502"
_FORM = re.compile(r"(?:\[(?P<six>[^\[\]]*)\]|(?P<host>[^:\[\]]*))(?::(?P<port>[^:]*))?")
_TIMES = {"after": "after_ns", "wait": "wait_ns", "hold": "hold_ns"}
_KEYS = ("frames", *_TIMES)


@dataclass(frozen=True)
class PlcAddress:
    """Address at which edgecl answers a PLC.

    Args:
        host: a number of this machine.
        port: of TCP; 0 for any that is free.
        rules: of the handshake.
    """

    host: str
    port: int = PORT
    rules: HandshakeRules = field(default_factory=HandshakeRules)

    @property
    def text(self) -> str:
        """The address as it is written."""
        return place_text(self.host, self.port)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.host)


def parse_plc(text: str) -> PlcAddress:
    """Read what follows `modbus:`.

    Raises:
        InputError: it names no address of this machine, no port, or an option that there is not.
    """
    address, mark, rest = text.partition("?")
    found = _FORM.fullmatch(address)
    if found is None:
        _fail(f"{address!r} is not HOST:PORT", f"as in {EXAMPLE}, or modbus:[::1]:502")
    return PlcAddress(
        _host(found["six"] or found["host"] or ""), _port(found["port"]), _rules(rest, bool(mark))
    )


def _host(text: str) -> str:
    hint = f"name the address of the network that the PLC is in, as in {EXAMPLE}, or 127.0.0.1"
    if not text:
        _fail("there is no address", hint)
    try:
        number = ipaddress.ip_address("127.0.0.1" if text == "localhost" else text)
    except ValueError:
        _fail(f"{text!r} is not an address in numbers", hint)
    if number.is_unspecified:
        _fail(f"{text} would answer on every network of this machine", hint)
    return str(number)


def _port(text: str | None) -> int:
    if text is None:
        return PORT
    if not re.fullmatch(r"\d{1,5}", text, re.ASCII) or int(text) > 65535:
        _fail(f"{text!r} is not a port", f"as in {EXAMPLE}")
    return int(text)


def _rules(text: str, asked: bool) -> HandshakeRules:
    options: dict[str, str] = {}
    for pair in text.split("&") if asked else ():
        name, _, value = pair.partition("=")
        if name not in _KEYS:
            _fail(f"{name!r} is not an option of its address", f"use {', '.join(_KEYS)}")
        if name in options or not value:
            _fail(f"{name} is there twice, or has no value", "write ?NAME=VALUE, each name once")
        options[name] = value
    frames = options.pop("frames", "triggered")
    if frames not in ("triggered", "every"):
        _fail(f"frames={frames} is not triggered or every", "write frames=every, or drop it")
    if frames == "every" and {"after", "wait"} & set(options):
        _fail("after and wait have no effect with frames=every", "drop them")
    return HandshakeRules(triggered=frames == "triggered", **_nanoseconds(options))


def _nanoseconds(options: Mapping[str, str]) -> dict[str, int]:
    return {
        _TIMES[name]: parse_time(value, f"as in {name}=50ms", f"--sink modbus: {name}")
        for name, value in options.items()
    }


def _fail(problem: str, hint: str) -> NoReturn:
    raise InputError(f"--sink modbus: {problem}", hint=hint)
