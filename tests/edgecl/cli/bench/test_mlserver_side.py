"""`edgecl bench --engine oip` against a real server of the protocol: MLServer."""

from __future__ import annotations

import json

import pytest

from edgecl.cli.shell import run as edgecl
from tests.runtime.session.oip.server_double import brightness
from tests.runtime.session.oip.test_mlserver import MLSERVER, MlServer, opened
from tests.runtime.session.test_golden import images, packed, put

pytestmark = pytest.mark.skipif(MLSERVER is None, reason="no mlserver, see test_mlserver.py")


def test_a_real_server_beside_an_engine_of_this_machine(make_bundle, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.waiting.PATIENCE", 120.0)
    bundle = make_bundle(tmp_path / "tiny.edgecl")
    put(bundle, packed(images=images(), probabilities=brightness(images())["probabilities"]))
    server = MlServer(tmp_path / "mlserver")
    try:
        opened(bundle, server.urls["http"]).close()  # it is up
        for scheme, way in (("http", ()), ("grpc", ("--cadence", "50fps"))):
            if scheme == "grpc":
                pytest.importorskip("grpc", reason="grpcio is not installed")
            out = tmp_path / scheme
            sides = ("--engine", "onnxruntime", "--engine", "oip", "--url", server.urls[scheme])
            few = ("--frames", "40", "--warmup", "1", "--frame-size", "40x60")
            assert edgecl(["bench", str(bundle), "--out", str(out), *sides, *few, *way]) == 0
            local, remote = json.loads((out / "latency.json").read_text())["sides"]
            assert (local["engine"], remote["engine"]) == ("onnxruntime", "oip")
            assert remote["engine_version"].startswith("mlserver ")
            assert (remote["answers"]["faults"], remote["answers"]["other_labels"]) == (0, 0)
            assert remote["answers"]["golden"] == 3
            infer = [side["steps"]["infer"]["p50_ms"] for side in (local, remote)]
            assert all(infer)
    finally:
        server.kill()
