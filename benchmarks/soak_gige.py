"""A GigE Vision camera that fails as planned, for `benchmarks/soak.py --gige`, on loopback.

A program for the system's Python, with Aravis: registers and description are those of its fake
camera. What it sends is built here, packet by packet, so that it can do what that one cannot: skip
a frame id, leave a packet out, and set its clock. It prints a line when it is there, sends one
frame once its client wants frames, and waits for a line on standard input; then it sends what
`soak_plan.py` plans. Source of the formats: GigE Vision as Aravis 0.8 implements it.

    /usr/bin/python3 benchmarks/soak_gige.py --frames 2000 --fps 50 --log sent.json
"""

from __future__ import annotations

import argparse
import ctypes
import json
import socket
import struct
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import gi
import numpy as np
from numpy.typing import NDArray

gi.require_version("Aravis", "0.8")
from gi.repository import Aravis  # noqa: E402 - after the version is chosen

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.script import run_script  # noqa: E402
from benchmarks.soak_plan import (  # noqa: E402
    FROZEN,
    SHAPE,
    STILL,
    broken_images,
    line_images,
    plan,
    still_images,
)

KINDS = ("missed-trigger", "clock", "damaged", "dark", "bright", "repeated")
ADDRESS = ("127.0.0.1", 3956)
SILENT_S = 60.0
DRAWN = 600
CLOCK_JUMP_NS = 5 * 10**9
FIRST_ID, LAST_ID = 65_001, 65_535
"""Frame ids: the first one, and the one after which they begin again with 1."""

PACKET_SIZE, ACQUISITION, WIDTH, HEIGHT = 0x0D04, 0x124, 0x100, 0x104
FIRE_TEST_PACKET = 1 << 31
MONO8 = 0x01080001
HEADERS = 28
"""Bytes of IP and UDP, which count for the size of a packet."""
LEADER, TRAILER, PAYLOAD = 1, 2, 3
IMAGE = 1
DISCOVER, READ, WRITE, READ_MEMORY = 0x02, 0x80, 0x82, 0x84
DISCOVERED = 0xF8
"""Bytes of memory that answer a discovery."""


def main() -> None:
    """Serve until all frames were sent, then write what was sent."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--fps", type=float, default=50)
    parser.add_argument("--fault-share", type=float, default=0.1)
    parser.add_argument("--log", type=Path, required=True)
    arguments = parser.parse_args()
    camera = FailingGigeCamera()
    threading.Thread(target=camera.answer, daemon=True).start()
    print("ready", flush=True)
    camera.stream(plan(arguments.frames, arguments.fault_share, KINDS, held=False), arguments.fps)
    arguments.log.write_text(json.dumps(camera.sent()), encoding="utf-8")
    time.sleep(SILENT_S)


class FailingGigeCamera:
    """Answers on the control channel, and sends frames to whoever asked for them."""

    def __init__(self) -> None:
        self._registers: Any = Aravis.FakeCamera.new("GV01")
        self._registers.write_register(WIDTH, SHAPE[1])
        self._registers.write_register(HEIGHT, SHAPE[0])
        self._control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._control.bind(ADDRESS)
        self._data = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._data.bind((ADDRESS[0], 0))
        self._images = line_images(DRAWN)
        self._others = {**broken_images(), STILL: still_images(self._images[0])}
        self._last = self._images[0]
        self._counts: Counter[str] = Counter()
        self._frames = 0
        self._id = FIRST_ID
        self._ahead_ns = 0

    def sent(self) -> dict[str, Any]:
        """Return faults by kind, and frames: those that were skipped are faults of their own."""
        return {"frames": self._frames, "counts": dict(self._counts), "returns": []}

    def answer(self) -> None:
        """Answer commands for ever."""
        while True:
            data, client = self._control.recvfrom(1024)
            _, command, _, number = struct.unpack_from(">HHHH", data)
            answer = self._answer(command, data[8:])
            if answer is not None:
                head = struct.pack(">HHHH", 0, command + 1, len(answer), number)
                self._control.sendto(head + answer, client)

    def stream(self, kinds: list[str], fps: float) -> None:
        """Send frames at a rate."""
        while self._read(ACQUISITION) != 1:
            time.sleep(0.05)
        start = time.monotonic()
        for number, kind in enumerate(kinds):
            if number == 1:
                print("begin", flush=True)
                sys.stdin.readline()
                start = time.monotonic() - 1 / fps
            time.sleep(max(0.0, start + number / fps - time.monotonic()))
            self._send(kind, number)
            self._frames += 1
            if kind not in ("good", STILL):
                self._counts[kind] += 1

    def _answer(self, command: int, data: bytes) -> bytes | None:
        if command == DISCOVER:
            return self._memory(0, DISCOVERED)
        if command == READ:
            addresses = [address for (address,) in struct.iter_unpack(">I", data)]
            return b"".join(struct.pack(">I", self._read(address)) for address in addresses)
        if command == READ_MEMORY:
            address, size = struct.unpack(">II", data)
            return struct.pack(">I", address) + self._memory(address, size)
        if command == WRITE:
            written = list(struct.iter_unpack(">II", data))
            for address, value in written:
                self._write(address, value)
            return struct.pack(">I", len(written))
        return None  # a packet that is asked for again has gone for good

    def _read(self, address: int) -> int:
        return int(self._registers.read_register(address)[1])

    def _write(self, address: int, value: int) -> None:
        if address == PACKET_SIZE and value & FIRE_TEST_PACKET:
            self._to_client(bytes((value & 0xFFFF) - HEADERS))
            return
        self._registers.write_register(address, value)

    def _memory(self, address: int, size: int) -> bytes:
        buffer = ctypes.create_string_buffer(size)
        self._registers.read_memory(address, size, ctypes.addressof(buffer))
        return buffer.raw

    def _to_client(self, packet: bytes) -> None:
        address = self._registers.get_stream_address()
        to = (address.get_address().to_string(), address.get_port())
        self._data.sendto(packet, to)

    def _send(self, kind: str, number: int) -> None:
        """Send a frame, or what is left of it."""
        if kind == "clock":  # ahead, and the next time back
            self._ahead_ns = CLOCK_JUMP_NS - self._ahead_ns
        if kind != "missed-trigger":
            self._last = self._image(kind, number)
            packets = self._packets(self._last)
            if kind == "damaged":
                del packets[len(packets) // 2]
            for packet in packets:
                self._to_client(packet)
        self._id = self._id % LAST_ID + 1

    def _image(self, kind: str, number: int) -> NDArray[np.uint8]:
        if kind == "repeated":
            return self._last
        variants = self._others.get(STILL if kind == FROZEN else kind)
        if variants is not None:
            return variants[number % len(variants)]
        image = self._images[number % len(self._images)].copy()
        image[0, 0] = number % 251  # those of the next round are others
        return image

    def _packets(self, image: NDArray[np.uint8]) -> list[bytes]:
        height, width = image.shape
        data = image.tobytes()
        size = (self._read(PACKET_SIZE) & 0xFFFF) - HEADERS - 8
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        now = time.monotonic_ns() + self._ahead_ns
        leader = struct.pack(">HHQIIIIIHH", 0, IMAGE, now, MONO8, width, height, 0, 0, 0, 0)
        trailer = struct.pack(">II", IMAGE, height)
        bodies = [(LEADER, leader), *((PAYLOAD, piece) for piece in pieces), (TRAILER, trailer)]
        return [
            struct.pack(">HHI", 0, self._id, kind << 24 | number) + body
            for number, (kind, body) in enumerate(bodies)
        ]


if __name__ == "__main__":
    run_script(main)
