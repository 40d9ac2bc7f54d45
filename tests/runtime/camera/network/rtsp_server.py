"""GStreamer's RTSP server, run with the system's Python: it prints its port and serves /live.

The transport of each viewer is printed too.

    /usr/bin/python3 rtsp_server.py CODEC TRANSPORT [PORT]

CODEC is jpeg or h264, TRANSPORT tcp, udp or any.
"""

from __future__ import annotations

import sys
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

CODECS = {
    "jpeg": "jpegenc ! rtpjpegpay name=pay0 pt=26",
    "h264": "x264enc tune=zerolatency key-int-max=5 ! rtph264pay name=pay0 pt=96 config-interval=1",
}
LOWER = GstRtsp.RTSPLowerTrans
TRANSPORTS = {"tcp": LOWER.TCP, "udp": LOWER.UDP, "any": LOWER.TCP | LOWER.UDP}


def _asked(_: object, context: Any) -> None:
    """Print the transport that a viewer asks for."""
    _, transport = context.request.get_header(GstRtsp.RTSPHeaderField.TRANSPORT, 0)
    print(transport, flush=True)  # noqa: T201 - for who started it


def main(codec: str, transport: str, port: str = "0") -> None:
    """Serve until killed."""
    Gst.init(None)
    server: Any = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory: Any = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        "( videotestsrc is-live=true pattern=ball ! "
        f"video/x-raw,format=I420,width=128,height=96,framerate=25/1 ! {CODECS[codec]} )"
    )
    factory.set_shared(True)
    factory.set_protocols(TRANSPORTS[transport])
    server.connect("client-connected", lambda _, client: client.connect("setup-request", _asked))
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)  # noqa: T201 - the port, for who started it
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
