"""The unit of a line, as text. Pure: everything that it depends on is passed in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MARK = "# Written by 'edgecl service'."
"""First line of a unit: what lacks it is somebody else's."""

EXIT_MISTAKE = 2
EXIT_STOPPED = 130
START_S = 900
"""Seconds that a start may take: TensorRT may have to build an engine."""

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")


@dataclass(frozen=True)
class ServiceUnit:
    """Facts that a unit is made of.

    Args:
        name: of the service and of its folders below /var/lib and /var/cache.
        command: program and arguments.
        user: of the system; None for one that systemd makes while the service runs.
        groups: that may use its devices.
        devices: paths, or kinds of device as in `char-video4linux`, that it may use.
        writable: folders beside its own that it may write.
        secrets: files that systemd reads and hands to it alone.
        watchdog_s: seconds without a judged frame after which it is started again.
        low_port: it answers on a port below 1024, as Modbus does.
        realtime: it asks for locked memory and a real-time scheduling class.
        home: it has files below /home, which it then may read.
    """

    name: str
    command: Sequence[str]
    user: str | None = None
    groups: Sequence[str] = ()
    devices: Sequence[str] = ()
    writable: Sequence[str] = ()
    secrets: Sequence[str] = ()
    watchdog_s: int = 30
    low_port: bool = False
    realtime: bool = False
    home: bool = False

    def text(self) -> str:
        """Return the unit."""
        lines = [
            MARK,
            "[Unit]",
            f"Description=edgecl: surface inspection ({self.name})",
            "Documentation=man:systemd.service(5)",
            "Wants=network-online.target",
            "After=network-online.target time-sync.target",
            # Ten starts within five minutes are no accident any more.
            "StartLimitIntervalSec=300",
            "StartLimitBurst=10",
            "",
            "[Service]",
            "Type=notify",
            "NotifyAccess=main",
            f"ExecStart={' '.join(map(escaped, self.command))}",
            "ExecReload=/bin/kill -HUP $MAINPID",
            f"WorkingDirectory=/var/lib/{self.name}",
            f"StateDirectory={self.name}",
            "StateDirectoryMode=0750",
            f"CacheDirectory={self.name}",
            f"Environment=XDG_CACHE_HOME=/var/cache/{self.name} HOME=/var/lib/{self.name}",
            f"TimeoutStartSec={START_S}",
            "TimeoutStopSec=60",
            f"WatchdogSec={self.watchdog_s}",
            "Restart=on-failure",
            "RestartSec=2",
            f"SuccessExitStatus={EXIT_STOPPED}",
            f"RestartPreventExitStatus={EXIT_MISTAKE}",
            "",
            *self._user(),
            *(f"LoadCredential={_file_name(path)}:{specifiers(path)}" for path in self.secrets),
            "",
            *self._devices(),
            "",
            *self._walls(),
            "",
            "[Install]",
            "WantedBy=multi-user.target",
        ]
        return "\n".join(lines) + "\n"

    def _user(self) -> list[str]:
        own = ["DynamicUser=yes"] if self.user is None else [f"User={self.user}"]
        return [*own, *([f"SupplementaryGroups={' '.join(self.groups)}"] if self.groups else [])]

    def _devices(self) -> list[str]:
        allowed = [f"DeviceAllow={specifiers(device)} rw" for device in self.devices]
        return ["DevicePolicy=closed", *allowed] if allowed else ["PrivateDevices=yes"]

    def _walls(self) -> list[str]:
        writable = [f"ReadWritePaths={escaped(folder)}" for folder in self.writable]
        rights = "CAP_NET_BIND_SERVICE" if self.low_port else ""
        memory = ["LimitMEMLOCK=infinity", "LimitRTPRIO=99", "RestrictRealtime=no"]
        return [
            "ProtectSystem=strict",
            *writable,
            f"ProtectHome={'read-only' if self.home else 'yes'}",
            "PrivateTmp=yes",
            "NoNewPrivileges=yes",
            f"CapabilityBoundingSet={rights}",
            f"AmbientCapabilities={rights}",
            "UMask=0027",
            "ProtectKernelTunables=yes",
            "ProtectKernelModules=yes",
            "ProtectKernelLogs=yes",
            "ProtectControlGroups=yes",
            "ProtectClock=yes",
            "ProtectHostname=yes",
            "ProtectProc=invisible",
            "RestrictNamespaces=yes",
            "RestrictSUIDSGID=yes",
            "LockPersonality=yes",
            "RemoveIPC=yes",
            "KeyringMode=private",
            # AF_NETLINK is how libraries list USB devices and network interfaces.
            "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
            "SystemCallArchitectures=native",
            "SystemCallFilter=@system-service",
            "SystemCallErrorNumber=EPERM",
            *(memory if self.realtime else ["RestrictRealtime=yes"]),
        ]


def specifiers(text: str) -> str:
    """Return a text in which systemd sees no specifier."""
    return text.replace("%", "%%")


def escaped(argument: str) -> str:
    """Return an argument as one word of a unit's line."""
    word = specifiers(argument).replace("$", "$$")
    if _PLAIN.fullmatch(word):
        return word
    inner = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inner}"'


def _file_name(path: str) -> str:
    return specifiers(path.rstrip("/").rpartition("/")[2])
