"""Debian's Prometheus scrapes a running stream, and knows what the summary will say."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.stream.metrics.address import MetricsAddress
from runtime.stream.metrics.endpoint import MetricsEndpoint
from runtime.stream.metrics.families import rendered
from runtime.stream.metrics.watched import WatchedStation, WatchedStream
from runtime.stream.sinks import StreamFacts
from tests.runtime.stream.remote.broker import free_port
from tests.runtime.stream.test_pipeline import FakeCamera, FakeSession, ended, images, stream

pytest.importorskip("prometheus_client")

PATIENCE = 60.0
TOKEN = "geheim"


class Prometheus:
    """Prometheus on a port of its own.

    Args:
        folder: of its files.
        target: HOST:PORT that it scrapes.
        credentials: file of the bearer token.
    """

    def __init__(self, folder: Path, target: str, credentials: Path) -> None:
        program = shutil.which("prometheus")
        if program is None:
            pytest.skip("needs Prometheus: apt install prometheus")
        self.port = free_port()
        scrape = {
            "job_name": "edgecl",
            "scrape_interval": "500ms",
            "scrape_timeout": "500ms",
            "static_configs": [{"targets": [target]}],
            "authorization": {"credentials_file": str(credentials)},
        }
        config = folder / "prometheus.yml"
        config.write_text(json.dumps({"scrape_configs": [scrape]}))  # JSON is YAML
        self._log = (folder / "prometheus.log").open("wb")
        self._process = subprocess.Popen(
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stdout=self._log,
            stderr=self._log,
        )

    def ask(self, query: str) -> dict[str, float]:
        """The value of a query by its labels, without those of the scrape."""
        address = f"http://127.0.0.1:{self.port}/api/v1/query?query={urllib.parse.quote(query)}"
        try:
            with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
                result = json.load(answer)["data"]["result"]
        except (urllib.error.URLError, ConnectionError):  # it is not there yet
            return {}
        found = {}
        for entry in result:
            labels = entry["metric"]
            for name in ("__name__", "instance", "job"):
                labels.pop(name, None)
            found[",".join(f"{k}={v}" for k, v in sorted(labels.items()))] = float(
                entry["value"][1]
            )
        return found

    def wait_for(self, query: str, wanted: dict[str, float]) -> None:
        """Wait until a query has this answer."""
        until = time.monotonic() + PATIENCE
        while (answer := self.ask(query)) != wanted and time.monotonic() < until:
            time.sleep(0.1)
        assert answer == wanted, query

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Any]:
    """A stream of ten frames that goes on until it is told, its end, and what scrapes it."""
    gate = threading.Event()
    pixels = [*images(6), None, *images(3)]
    camera = FakeCamera([*pixels, np.zeros((16, 16), np.uint8)])

    def before_read(number: int) -> None:
        if number == len(pixels):
            gate.wait(PATIENCE)

    camera.before_read = before_read
    pipeline, sink = stream(camera, FakeSession(), limits={"infer": 0, "total": 10**12})
    endpoint = MetricsEndpoint(MetricsAddress("127.0.0.1", 0), TOKEN)
    watched = WatchedStream("", pipeline, camera, pipeline.sinks)
    facts = StreamFacts(bundle="line.edgecl", digest="abc")
    endpoint.start(partial(rendered, WatchedStation(facts, FakeSession(), [watched])))
    (tmp_path / "token").write_text(TOKEN)
    prometheus = None
    try:
        prometheus = Prometheus(tmp_path, endpoint.url.split("/")[2], tmp_path / "token")
        sink.wait_for(10)
        yield pipeline, gate, prometheus
    finally:
        gate.set()
        if prometheus is not None:
            prometheus.close()
        endpoint.close()
        pipeline.close()


def test_prometheus_has_the_counts_of_the_summary(running):
    pipeline, gate, prometheus = running
    prometheus.wait_for("edgecl_captured_frames_total", {"": 10})
    prometheus.wait_for("edgecl_judging", {"": 1})
    gate.set()
    snapshot = ended(pipeline)
    prometheus.wait_for("edgecl_judging", {"": 0})
    statuses = {f"status={status}": count for status, count in snapshot.statuses.items()}
    assert prometheus.ask("edgecl_frames_total") == statuses
    assert prometheus.ask("edgecl_captured_frames_total") == {"": snapshot.captured} == {"": 11}
    assert prometheus.ask("edgecl_budget_exceeded_total") == {"step=infer": 10, "step=total": 0}
    assert prometheus.ask("edgecl_budget_misses_total") == {"": snapshot.misses}
    total = snapshot.histograms["total"]
    assert prometheus.ask('edgecl_step_seconds_count{step="total"}') == {"step=total": total.count}
    (seconds,) = prometheus.ask('edgecl_step_seconds_sum{step="total"}').values()
    assert seconds == pytest.approx(total.total / 1e9)
    counts = prometheus.ask('edgecl_step_seconds_bucket{step="total"}')
    assert counts["le=+Inf,step=total"] == total.count
    (info,) = prometheus.ask("edgecl_build_info")
    assert "bundle=line.edgecl" in info
    assert "digest=abc" in info
    assert prometheus.ask("up") == {"": 1}
    # Its own check of what it scraped: nothing twice, nothing out of order.
    dropped = "scrape_samples_scraped - scrape_samples_post_metric_relabeling"
    assert prometheus.ask(dropped) == {"": 0}
