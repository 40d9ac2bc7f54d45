"""Aravis's fake GigE Vision camera on loopback, until standard input ends.

A program for the system's Python: `fake_camera.py [SERIAL [SHARE_OF_LOST_PACKETS]]`.
"""

from __future__ import annotations

import sys

import gi

gi.require_version("Aravis", "0.8")
from gi.repository import Aravis  # noqa: E402 - after the version is chosen

serial = sys.argv[1] if len(sys.argv) > 1 else "GV01"
lost = sys.argv[2] if len(sys.argv) > 2 else "0"
camera = Aravis.GvFakeCamera.new("127.0.0.1", serial)
camera.set_property("gvsp-lost-ratio", float(lost))
sys.stdout.write(f"{'ready' if camera.is_running() else 'failed'}\n")
sys.stdout.flush()
sys.stdin.read()
