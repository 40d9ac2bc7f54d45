"""What systemd is told of a stream that works, hangs, waits for its camera, or is reloaded."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

from edgecl.cli.run.service.supervision import Supervision, open_when_there
from edgecl.cli.shell import run
from runtime.errors import InputError
from runtime.stream.pipeline import Pipeline, Settings
from runtime.systemd import Notifier
from tests.edgecl.cli.run.service.supervisor import Supervisor
from tests.edgecl.command import start
from tests.runtime.stream.service.cameras import QuietCamera
from tests.runtime.stream.test_pipeline import FakeSession, ListSink


@pytest.fixture
def supervisor(tmp_path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path)
    yield made
    made.close()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def watched(supervisor, clock, work=lambda call: None):
    """A stream with a quiet camera, and what supervises it."""
    camera, sink = QuietCamera(), ListSink()
    pipeline = Pipeline(camera, FakeSession(work), Settings(), [sink])
    environment = {"NOTIFY_SOCKET": supervisor.name, "WATCHDOG_USEC": "8000000"}
    supervision = Supervision(None, Notifier(environment), clock)
    pipeline.start()
    supervision.begin({"": pipeline})
    return camera, sink, pipeline, supervision


def test_a_stream_that_works_feeds_the_watchdog_four_times_a_period(supervisor):
    clock = Clock()
    camera, sink, pipeline, supervision = watched(supervisor, clock)
    assert supervisor.heard() == ["READY=1"]
    for second in range(1, 9):
        camera.give()
        sink.wait_for(second)
        while pipeline.moment.busy:
            pass
        clock.now = float(second)
        supervision.look()
    supervision.end()
    pipeline.close()
    said = supervisor.heard()
    assert said.count("WATCHDOG=1") == 4
    assert said[-1] == "STOPPING=1"
    assert any(text.startswith("STATUS=") and "pass" in text for text in said)


def test_a_judge_that_hangs_lets_the_watchdog_fire(supervisor):
    clock, released, entered = Clock(), threading.Event(), threading.Event()

    def work(call: int) -> None:
        entered.set()
        released.wait(60)

    camera, sink, pipeline, supervision = watched(supervisor, clock, work)
    camera.give(3)
    assert entered.wait(60)
    supervisor.heard()
    for second in range(1, 100):
        clock.now = float(second)
        supervision.look()
    assert "WATCHDOG=1" not in supervisor.heard()
    released.set()
    sink.wait_for(3)
    clock.now = 101.0
    supervision.look()
    assert "WATCHDOG=1" in supervisor.heard()
    pipeline.close()


def test_a_camera_that_is_opened_again_feeds_it_and_a_silent_one_does_not(supervisor, monkeypatch):
    clock = Clock()
    _, _, pipeline, supervision = watched(supervisor, clock)
    monkeypatch.setattr(QuietCamera, "away", property(lambda self: True))
    clock.now = 1000.0
    supervision.look()
    said = supervisor.heard()
    assert "WATCHDOG=1" in said
    assert any("the camera is lost" in text for text in said)
    monkeypatch.setattr(QuietCamera, "away", property(lambda self: False))
    clock.now = 1020.0
    supervision.look()
    assert "WATCHDOG=1" not in supervisor.heard()
    pipeline.close()


def test_a_service_waits_for_a_camera_that_is_not_up_yet(supervisor):
    tries: list[int] = []
    said: list[str] = []
    problem = InputError("video device 0: it cannot be opened", code="camera-unavailable")

    def opener() -> QuietCamera:
        tries.append(1)
        if len(tries) < 4:
            raise problem
        return QuietCamera()

    notifier = Notifier({"NOTIFY_SOCKET": supervisor.name})
    open_when_there(opener, said.append, notifier=notifier, wait=lambda seconds: None)
    assert said == ["note: video device 0: it cannot be opened; the service waits for it"]
    heard = supervisor.heard()
    assert heard.count("EXTEND_TIMEOUT_USEC=90000000") == 4
    assert "STATUS=waits for its camera: video device 0: it cannot be opened" in heard


def test_a_service_waits_for_its_inference_server(supervisor):
    tries = iter([InputError("no answer", code="server-unavailable"), None])

    def opener() -> str:
        if (error := next(tries)) is not None:
            raise error
        return "a session"

    notifier = Notifier({"NOTIFY_SOCKET": supervisor.name})
    said: list[str] = []
    assert open_when_there(opener, said.append, notifier=notifier, wait=print) == "a session"
    assert "STATUS=waits for its inference server: no answer" in supervisor.heard()


def test_mistakes_are_not_waited_for_and_without_a_service_nothing_is(supervisor):
    def fail(code: str) -> QuietCamera:
        raise InputError("no", code=code)

    notifier = Notifier({"NOTIFY_SOCKET": supervisor.name})
    with pytest.raises(InputError):
        open_when_there(lambda: fail("input"), print, notifier=notifier)
    with pytest.raises(InputError):
        open_when_there(lambda: fail("camera-unavailable"), print, notifier=Notifier({}))


CONFIG = """
[camera]
camera = "demo"
fps = 50
every-frame = true
[model]
model = "tiny.edgecl"
engine = "onnxruntime"
[rules]
unsure-below = {share}
[output]
out = "{out}"
"""


def test_a_service_that_is_reloaded_and_stopped(supervisor, tmp_path, make_bundle, monkeypatch):
    make_bundle(tmp_path / "tiny.edgecl")
    config = tmp_path / "line.toml"
    config.write_text(CONFIG.format(share=0.0, out="o"))
    monkeypatch.setenv("NOTIFY_SOCKET", supervisor.name)
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    process = start("run", "--config", config, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    supervisor.wait_for("READY=1")
    supervisor.wait_for("WATCHDOG=1")

    config.write_text(CONFIG.format(share=1.0, out="o"))
    process.send_signal(signal.SIGHUP)
    supervisor.wait_for("RELOADING=1")
    supervisor.wait_for("READY=1")
    supervisor.wait_for("STATUS=")
    supervisor.wait_for("STATUS=")

    for text in (CONFIG.format(share=0.0, out="p"), CONFIG.format(share=2.0, out="o"), "]"):
        config.write_text(text)
        process.send_signal(signal.SIGHUP)
        supervisor.wait_for("RELOADING=1")
        supervisor.wait_for("READY=1")
    config.unlink()
    process.send_signal(signal.SIGHUP)
    supervisor.wait_for("RELOADING=1")
    supervisor.wait_for("READY=1")

    process.send_signal(signal.SIGTERM)
    supervisor.wait_for("STOPPING=1")
    err = process.communicate(timeout=300)[1]
    assert process.returncode == 130, err
    assert "note: the configuration was read again: rules.unsure-below changed" in err
    assert "output.out cannot change while the stream runs; restart the service for that" in err
    assert "line.toml:10: rules.unsure-below" in err
    assert "line.toml:1: not valid TOML" in err
    assert "cannot be read: No such file or directory" in err
    assert err.count("note: the configuration was not changed") == 4

    summary = json.loads((tmp_path / "o/summary.json").read_text())
    assert summary["statuses"]["unsure"] > 0
    assert summary["statuses"]["pass"] + summary["statuses"]["reject"] > 0
    lines = map(json.loads, (tmp_path / "o/verdicts.jsonl").read_text().splitlines())
    # A confidence of 1 is not below the second threshold either.
    judged = [line["status"] for line in lines if (line["confidence"] or 1) < 1]
    statuses = ["unsure" if status == "unsure" else "sure" for status in judged]
    assert "".join(dict.fromkeys(statuses)) == "sureunsure", "the first, then the second, for good"
    assert statuses == sorted(statuses), "no frame was judged by two sets of rules"
    assert "unsure-below = 1.0" in (tmp_path / "o/config.toml").read_text()
    assert any("unsure-below changed" in note for note in summary["notes"])


def test_without_a_supervisor_a_lost_terminal_ends_the_stream_as_ever(tmp_path):
    supervision = Supervision(None, Notifier({}))
    assert supervision.asked is None
    supervision.look()
    supervision.end()


def test_a_camera_that_is_missing_still_ends_a_command(tmp_path, make_bundle, monkeypatch, capsys):
    make_bundle(tmp_path / "tiny.edgecl")
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.chdir(tmp_path)
    assert run(["run", "--model", "tiny.edgecl", "--camera", "/dev/video97"]) == 2
