"""node-opcua in a process of its own: a client that shares no code with the server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.stream.opcua.serving import PATIENCE_S

MODULES = "EDGECL_NODE_MODULES"
"""Environment variable with a folder `node_modules` that has node-opcua; or NODE_PATH."""


def node_modules() -> Path | None:
    """The folder with node-opcua; None where there is none."""
    for name in (MODULES, "NODE_PATH"):
        for entry in os.environ.get(name, "").split(os.pathsep):
            if entry and (Path(entry) / "node-opcua-client").is_dir():
                return Path(entry)
    return None


def nodeset() -> Path | None:
    """The Machine Vision node set; None where it is not installed."""
    modules = node_modules()
    if modules is None:
        return None
    path = modules / "node-opcua-nodesets/nodesets/Opc.Ua.MachineVision.NodeSet2.xml"
    return path if path.is_file() else None


class Peer:
    """node-opcua, doing what `peer.js` is told.

    Args:
        url: of the line.
        pki: folder for what it knows of certificates.
        wishes: what it is told, each in a session of its own.
    """

    def __init__(self, url: str, pki: str, wishes: Sequence[dict[str, Any]]) -> None:
        modules, node = node_modules(), shutil.which("node")
        if modules is None or node is None:
            pytest.skip(f"needs node and node-opcua-client: name its node_modules in {MODULES}")
        self._process = subprocess.Popen(
            [node, str(Path(__file__).with_name("peer.js")), json.dumps([url, pki, wishes])],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "NODE_PATH": str(modules), "HOME": pki},
        )

    def wait_for(self, line: str) -> None:
        """Wait until it says that."""
        assert self._process.stdout is not None
        for text in self._process.stdout:
            if text.strip() == line:
                return
        raise AssertionError(f"node-opcua never said {line}")

    def told(self) -> list[dict[str, Any]]:
        """What it found, once it is done, wish by wish."""
        out, _ = self._process.communicate(timeout=PATIENCE_S * 2)
        answer: list[dict[str, Any]] = json.loads(out.strip().splitlines()[-1])
        return answer


def names_below(tree: dict[str, Any], *path: str) -> Sequence[str]:
    """Names without their namespace below a path of such names."""
    for name in path:
        tree = next(value for key, value in tree.items() if key.partition(":")[2] == name)
    return [key.partition(":")[2] or key for key in tree]
