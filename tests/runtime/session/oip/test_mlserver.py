"""Sessions on a real server of the protocol: MLServer, with a model of its own kind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import FrameError, InputError, SessionAwayError
from runtime.session import Session, open_session
from runtime.session.oip.opening import ServerChoice
from tests.runtime.session.oip.server_double import MODEL, brightness, metadata
from tests.runtime.session.test_golden import images, packed, put
from tests.waiting import wait_until

MLSERVER = os.environ.get("EDGECL_MLSERVER") or shutil.which("mlserver")

pytestmark = pytest.mark.skipif(
    MLSERVER is None,
    reason="no mlserver; install it into a virtual environment of its own and name its program in "
    "EDGECL_MLSERVER",
)

# It says what another model would say once there is a file `other` beside it, and hangs for `hang`.
BRIGHT = """
import asyncio
import os

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Bright(MLModel):
    async def load(self):
        return True

    async def predict(self, payload):
        while os.path.exists("hang"):
            await asyncio.sleep(0.01)
        image = NumpyCodec.decode_input(payload.inputs[0])
        mean = image.astype("f4").mean(axis=(2, 3)) / 255
        centres = (np.arange(3, dtype="f4") + 0.5) / 3
        weights = np.exp(-180.0 * (mean - centres) ** 2)
        if os.path.exists("other"):
            weights = weights[:, ::-1]
        answers = (weights / weights.sum(axis=1, keepdims=True)).astype("f4")
        embedding = np.repeat(mean, 128, axis=1).astype("f4")
        return InferenceResponse(
            model_name=self.name,
            model_version=self.version,
            outputs=[
                NumpyCodec.encode_output("probabilities", answers),
                NumpyCodec.encode_output("embedding", embedding),
            ],
        )
"""


class MlServer:
    """A running MLServer that serves the brightness model.

    Args:
        folder: of its files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        facts = {name: metadata()[name] for name in ("name", "inputs", "outputs")}
        settings = {**facts, "implementation": "bright.Bright", "parameters": {"version": "1"}}
        (folder / MODEL).mkdir(parents=True)
        (folder / MODEL / "bright.py").write_text(BRIGHT)
        (folder / MODEL / "model-settings.json").write_text(json.dumps(settings))
        http, grpc, metrics = free_ports(3)
        ports = {"http_port": http, "grpc_port": grpc, "metrics_port": metrics}
        shared = {"host": "127.0.0.1", "parallel_workers": 0, "debug": False}
        (folder / "settings.json").write_text(json.dumps({**shared, **ports}))
        self.urls = {"http": f"http://127.0.0.1:{http}", "grpc": f"grpc://127.0.0.1:{grpc}"}
        self.start()

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(MLSERVER), "start", "."], cwd=self.folder, stdout=log, stderr=log
            )

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


@pytest.fixture(autouse=True)
def more_patience(monkeypatch) -> None:
    """A server in Python takes its time to start on a busy machine."""
    monkeypatch.setattr("tests.waiting.PATIENCE", 120.0)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = MlServer(tmp_path_factory.mktemp("mlserver"))
    yield running
    running.kill()


@pytest.fixture
def bundle(make_bundle) -> Path:
    folder: Path = make_bundle()
    put(folder, packed(images=images(), probabilities=brightness(images())["probabilities"]))
    return folder


def opened(bundle: Path, url: str, lines: list[str] | None = None, **choice: Any) -> Session:
    """A session, as soon as the server is up."""
    said: list[str] = [] if lines is None else lines
    sessions: list[Session] = []

    def there() -> bool:
        try:
            server = ServerChoice(url, **choice)
            sessions.append(
                open_session(bundle, "fp32", engine="oip", server=server, report=said.append)
            )
        except InputError as error:
            if error.code != "server-unavailable" and "not ready" not in error.problem:
                raise
        return bool(sessions)

    wait_until(there, "a server that answers")
    return sessions[0]


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_real_server_answers_hangs_dies_and_comes_back(server, bundle, scheme):
    if scheme == "grpc":
        pytest.importorskip("grpc", reason="grpcio is not installed: pip install 'edgecl[oip]'")
    lines: list[str] = []
    with opened(bundle, server.urls[scheme], lines) as session:
        assert session.version.startswith("mlserver ")

        def classes() -> list[int]:
            found: list[int] = session.infer(images()).probabilities.argmax(axis=1).tolist()
            return found

        assert classes() == [0, 1, 2]
        (server.folder / "hang").touch()
        with pytest.raises(FrameError, match="no answer in time"):
            classes()
        (server.folder / "hang").unlink()
        wait_until(lambda: answers(session), "an answer after a hang")
        lines.clear()
        server.kill()
        wait_until(lambda: bool(lines), "a server that is lost")
        assert "was lost" in lines[0]
        with pytest.raises(SessionAwayError):
            classes()
        (server.folder / "other").touch()
        server.start()
        wait_until(lambda: any("different results" in line for line in lines), "another model")
        (server.folder / "other").unlink()
        wait_until(lambda: "is back after" in lines[-1], "a server that is back")
        assert classes() == [0, 1, 2]


def answers(session: Session) -> bool:
    try:
        session.infer(images())
    except FrameError:
        return False
    return True


def test_a_model_that_a_real_server_lacks_is_named(server, bundle):
    opened(bundle, server.urls["http"]).close()
    with pytest.raises(InputError, match=r"does not serve nothing: HTTP 404 .*: Model nothing"):
        opened(bundle, server.urls["http"], model="nothing")
    with pytest.raises(InputError, match=r"does not serve tiny_fp32/7: HTTP 404"):
        opened(bundle, server.urls["http"], model=f"{MODEL}/7")
