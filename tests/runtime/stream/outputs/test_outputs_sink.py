"""Verdicts on lines: of a file, of a chip's double, and of lines that do not obey."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import create_autospec

import pytest

from runtime.errors import InputError
from runtime.stream.acting.pending import PendingAct
from runtime.stream.outputs.lines import FileLines, OutputLines
from runtime.stream.outputs.plan import parse_outputs
from runtime.stream.outputs.sink import RETRY_NS, DigitalOutputsSink, open_gpio
from runtime.stream.outputs.ticks import GONE_NS, SAMPLE_NS, TickSource
from runtime.stream.sinks import SinkRequest
from runtime.stream.verdict import Decision, Status, Verdict

MS = 1_000_000
PATIENCE = 60.0


class Clock:
    def __init__(self) -> None:
        self.ns = 1000 * MS

    def __call__(self) -> int:
        return self.ns


class RecordedLines(OutputLines):
    """Keeps the changes with their times in ms; refuses the lines in `refusing`."""

    name = "gpio recorded"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.changes: list[tuple[int, str, bool]] = []
        self.refusing: set[str] = set()
        self.closed = False

    def set(self, line, up):
        if line in self.refusing:
            raise OSError(5, "Input/output error")
        self.changes.append((self._clock.ns // MS, line, up))

    def close(self):
        self.closed = True


class SetTicks(TickSource):
    """Counts what a test sets; None cannot be read."""

    def __init__(self) -> None:
        super().__init__()
        self.now: int | None = 0

    def look(self, now_ns):
        if self.now is None:
            raise OSError(2, "No such file or directory")
        return self.history.add(now_ns, self.now)


class Line:
    """A sink without its thread: a test moves the clock, and does what the thread would."""

    def __init__(self, text: str, ticks: TickSource | None = None) -> None:
        self.clock = Clock()
        self.lines = RecordedLines(self.clock)
        self.sink = DigitalOutputsSink(parse_outputs(text), self.lines, ticks, clock=self.clock)

    def give(self, status: Status, captured_ms: int = 1000, by_ms: int | None = None) -> PendingAct:
        by = None if by_ms is None else by_ms * MS
        act = PendingAct(by)
        self.sink._handle(Verdict(0, captured_ms * MS, 0, Decision(status), {"total": 1}, act=act))
        return act

    def run_to(self, ms: int) -> None:
        """Wake as the thread would, up to a time."""
        for _ in range(10_000):
            due = self.sink.next_ns()
            if due is None or due > ms * MS:
                self.clock.ns = ms * MS
                return
            self.clock.ns = max(self.clock.ns, due)
            self.sink.tick(self.clock.ns)
        raise AssertionError("it never sleeps")


PLAN = "file:x?out=REJECT,delay=120ms,pulse=30ms&out=GATE,on=pass,pulse=20ms"


def test_a_reject_is_pulsed_after_its_delay_from_the_capture():
    line = Line(PLAN)
    line.clock.ns = 1017 * MS  # the verdict took 17 ms
    line.give(Status.REJECT)
    line.run_to(1500)
    assert line.lines.changes == [(1120, "REJECT", True), (1150, "REJECT", False)]


def test_a_pass_opens_the_gate_at_once():
    line = Line(PLAN)
    line.give(Status.PASS)
    line.run_to(1500)
    assert line.lines.changes == [(1000, "GATE", True), (1020, "GATE", False)]
    assert (line.sink.acted, line.sink.late_acts) == (1, 0)


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.PASS])
def test_every_other_status_opens_no_gate(status):
    line = Line(PLAN)
    line.give(status)
    line.run_to(1500)
    assert {name for _, name, _ in line.lines.changes} == {"REJECT"}


def test_a_gate_that_a_pass_opened_shuts_before_a_part_that_must_not_go():
    line = Line("file:x?out=GATE,on=pass,pulse=80ms,delay=100ms")
    line.give(Status.PASS, captured_ms=1000)
    line.run_to(1040)
    line.give(Status.REJECT, captured_ms=1040)
    line.run_to(1500)
    assert line.lines.changes == [(1100, "GATE", True), (1140, "GATE", False)]


def test_a_pass_beyond_its_deadline_is_late_and_opens_no_gate():
    line = Line(PLAN)
    line.give(Status.PASS, by_ms=999)
    line.run_to(1500)
    assert line.lines.changes == [(1120, "REJECT", True), (1150, "REJECT", False)]
    assert line.sink.late_acts == 1


def test_a_reject_whose_part_has_passed_is_late_and_pulsed_at_once():
    line = Line(PLAN)
    line.clock.ns = 1121 * MS
    line.give(Status.REJECT)
    line.run_to(1500)
    assert line.lines.changes[0] == (1121, "REJECT", True)
    assert line.sink.late_acts == 1


def test_a_delay_in_ticks_counts_from_the_capture_and_waits_for_a_belt_that_stands():
    ticks = SetTicks()
    line = Line("file:x?out=1,delay=100ticks&ticks=file:c", ticks)
    line.sink.tick(line.clock.ns)
    ticks.now = 40
    line.run_to(1010)
    line.give(Status.REJECT, captured_ms=1005)  # between two looks: 0 were seen then, or 40
    ticks.now = 99
    line.run_to(5000)
    assert line.lines.changes == []
    assert line.sink.busy()
    ticks.now = 140
    line.run_to(5010)
    assert [(name, up) for _, name, up in line.lines.changes] == [("1", True)]


@pytest.mark.parametrize("then", [3, None])
def test_a_counter_that_begins_anew_or_is_gone_lets_no_reject_wait(then):
    ticks = SetTicks()
    ticks.now = 500
    line = Line("file:x?out=1,delay=100ticks&out=2,on=pass,delay=90ticks&ticks=file:c", ticks)
    line.sink.tick(line.clock.ns)
    line.give(Status.REJECT)
    line.give(Status.PASS)
    ticks.now = then
    line.run_to(1000 + (GONE_NS if then is None else 0) // MS + 2 * SAMPLE_NS // MS)
    assert [(name, up) for _, name, up in line.lines.changes] == [("1", True)]
    assert line.sink.late_acts == 2


def test_a_counter_that_is_just_being_written_is_not_gone():
    ticks = SetTicks()
    line = Line("file:x?out=1,delay=100ticks&ticks=file:c", ticks)
    line.sink.tick(line.clock.ns)
    line.give(Status.REJECT)
    ticks.now = None
    line.run_to(1000 + GONE_NS // MS - 2 * SAMPLE_NS // MS)
    ticks.now = 100
    line.run_to(1000 + GONE_NS // MS)
    assert len(line.lines.changes) == 1
    assert line.sink.late_acts == 0


def test_before_the_first_count_a_verdict_is_late():
    ticks = SetTicks()
    ticks.now = None
    line = Line("file:x?out=1,delay=100ticks&ticks=file:c", ticks)
    line.give(Status.REJECT)
    assert line.lines.changes == [(1000, "1", True)]
    assert (line.sink.late_acts, line.sink.problem) == (1, "[Errno 2] No such file or directory")


def test_the_watchdog_changes_while_it_is_alive_and_rests_while_an_output_does_not_obey():
    line = Line("file:x?out=1&watchdog=W,every=100ms")
    line.run_to(1350)
    assert [ms for ms, name, _ in line.lines.changes if name == "W"] == [1000, 1100, 1200, 1300]
    line.lines.refusing = {"1"}
    failed = []
    line.give(Status.REJECT).tell(lambda ended, missed: failed.append(missed))
    assert failed == [True]
    assert (line.sink.lost, line.sink.acted) == (1, 0)
    before = len(line.lines.changes)
    line.run_to(3000)
    assert len(line.lines.changes) == before
    line.lines.refusing = set()
    line.run_to(3000 + 2 * RETRY_NS // MS)
    names = [name for _, name, _ in line.lines.changes[before:]]
    assert "W" in names


def test_a_gate_that_did_not_open_in_time_stays_shut():
    line = Line(PLAN)
    line.lines.refusing = {"GATE"}
    line.give(Status.PASS)
    line.lines.refusing = set()
    line.run_to(1500)
    assert ("GATE", True) not in [(name, up) for _, name, up in line.lines.changes]


def test_a_watchdog_line_that_does_not_obey_stops_no_output():
    line = Line("file:x?out=1&watchdog=W,every=50ms")
    line.lines.refusing = {"W"}
    line.run_to(2000)
    line.give(Status.REJECT)
    assert line.lines.changes == [(2000, "1", True)]


def test_the_end_brings_every_line_down():
    line = Line("file:x?out=1,pulse=60s&watchdog=W")
    line.give(Status.REJECT)
    line.sink.rest()
    assert {name: up for _, name, up in line.lines.changes} == {"1": False, "W": False}
    assert line.lines.closed


def request(tmp_path: Path, target: str) -> SinkRequest:
    return SinkRequest("gpio", target, tmp_path)


def file_changes(path: Path) -> list[tuple[int, str, int]]:
    rows = [text.split() for text in path.read_text().splitlines()]
    return [(int(ns), name, int(level)) for ns, name, level in rows]


def test_lines_of_a_file_have_times_and_levels(tmp_path):
    before = time.monotonic_ns()
    target = "file:lines.txt?out=R,pulse=5ms&out=G,on=pass,pulse=5ms,active=low"
    sink = open_gpio(request(tmp_path, target))
    now = time.monotonic_ns()
    sink.emit(Verdict(0, now, 0, Decision(Status.REJECT), {"total": 1}))
    sink.close()
    sink.close()
    changes = file_changes(tmp_path / "lines.txt")
    assert [(name, level) for _, name, level in changes[:4]] == [
        ("R", 0),
        ("G", 1),
        ("R", 1),
        ("R", 0),
    ]
    times = [ns for ns, _, _ in changes]
    assert times == sorted(times)
    assert before < times[0]
    assert changes[3][0] - changes[2][0] >= 5 * MS
    assert changes[-1][1:] == ("G", 1)


WATCHED = """
import sys, time
from pathlib import Path
from runtime.stream.outputs.sink import open_gpio
from runtime.stream.sinks import SinkRequest
sink = open_gpio(SinkRequest("gpio", "file:lines.txt?watchdog=W,every=5ms", Path(sys.argv[1])))
time.sleep(600)
"""


def test_the_watchdog_falls_silent_when_edgecl_is_killed(tmp_path):
    with subprocess.Popen([sys.executable, "-c", WATCHED, str(tmp_path)]) as process:
        lines = tmp_path / "lines.txt"
        until = time.monotonic() + PATIENCE
        while not lines.exists() or len(file_changes(lines)) < 20:
            assert time.monotonic() < until
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    changes = file_changes(lines)
    time.sleep(0.1)
    assert file_changes(lines) == changes
    levels = [level for _, _, level in changes[1:]]
    assert all(one != other for one, other in itertools.pairwise(levels))


@pytest.mark.parametrize(
    ("prepare", "told"),
    [
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: os.mkfifo(path), "cannot be written: No such device or address"),
    ],
)
def test_a_file_that_cannot_be_written_is_told(tmp_path, prepare, told):
    prepare(tmp_path / "lines.txt")
    with pytest.raises(InputError, match=told):
        open_gpio(request(tmp_path, "file:lines.txt?out=1"))


def test_a_full_disk_is_an_act_that_failed(tmp_path):
    lines = FileLines(Path("/dev/full"), {})
    lines._lines = {"1": False}
    with pytest.raises(OSError, match="No space left"):
        lines.set("1", True)
    lines.close()


def chip_double(monkeypatch) -> SimpleNamespace:
    """The installed gpiod, with the one call that reaches for a chip replaced by a double of it."""
    gpiod = pytest.importorskip("gpiod", reason="needs gpiod: pip install 'edgecl[gpio]'")
    lines = create_autospec(gpiod.LineRequest, instance=True)
    lines.wait_edge_events.return_value = False
    asked = create_autospec(gpiod.request_lines, return_value=lines)
    monkeypatch.setattr(gpiod, "request_lines", asked)
    return SimpleNamespace(gpiod=gpiod, lines=lines, asked=asked)


def test_lines_of_a_chip(tmp_path, monkeypatch):
    chip = chip_double(monkeypatch)
    target = "gpiod:/dev/gpiochip0?out=17,pulse=1ms,active=low&out=GATE,on=pass"
    sink = open_gpio(request(tmp_path, target))
    sink.emit(Verdict(0, time.monotonic_ns(), 0, Decision(Status.REJECT), {"total": 1}))
    sink.close()
    value, settings = chip.gpiod.line.Value, chip.asked.call_args.kwargs["config"]
    assert chip.asked.call_args.args == ("/dev/gpiochip0",)
    assert {line: (one.active_low, one.direction) for line, one in settings.items()} == {
        17: (True, chip.gpiod.line.Direction.OUTPUT),
        "GATE": (False, chip.gpiod.line.Direction.OUTPUT),
    }
    sets = [call.args for call in chip.lines.set_value.call_args_list]
    assert sets[:2] == [(17, value.ACTIVE), (17, value.INACTIVE)]
    assert chip.lines.release.called


def test_edges_of_a_chip_are_ticks(tmp_path, monkeypatch):
    chip = chip_double(monkeypatch)
    from runtime.stream.outputs.gpiod_lines import LineTicks

    ticks = LineTicks("/dev/gpiochip0", "5")
    assert ticks.look(10)
    events = [SimpleNamespace(timestamp_ns=20 + n, line_seqno=n + 1) for n in range(3)]
    chip.lines.wait_edge_events.side_effect = [True, False]
    chip.lines.read_edge_events.return_value = events
    assert ticks.look(100)
    assert [ticks.history.at(ns) for ns in (15, 20, 21, 99)] == [0, 1, 2, 3]
    ticks.close()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(13, "Permission denied"), "cannot be had: Permission denied"),
        (OSError(16, "Device or resource busy"), "line 17 of /dev/gpiochip0 cannot be had: Device"),
        (ValueError("line offset of out range"), "line offset of out range"),
    ],
)
def test_a_line_that_cannot_be_had_is_told(tmp_path, monkeypatch, error, told):
    chip_double(monkeypatch).asked.side_effect = error
    with pytest.raises(InputError, match=told):
        open_gpio(request(tmp_path, "gpiod:/dev/gpiochip0?out=17"))


def test_a_driver_that_raises_anything_ends_nothing(monkeypatch):
    ticks = SetTicks()
    line = Line("file:x?out=1,delay=100ticks&ticks=file:c", ticks)
    monkeypatch.setattr(ticks, "look", lambda now_ns: 1 / 0)
    line.run_to(1200)
    line.give(Status.REJECT)
    assert line.lines.changes == [(1200, "1", True)]
    assert line.sink.problem == "division by zero"


def test_a_chip_that_is_missing_is_told(tmp_path):
    pytest.importorskip("gpiod", reason="needs gpiod: pip install 'edgecl[gpio]'")
    with pytest.raises(InputError, match="cannot be had: No such file"):
        open_gpio(request(tmp_path, f"gpiod:{tmp_path}/gpiochip9?out=17"))


@pytest.mark.parametrize(
    ("target", "module", "command"),
    [
        ("gpiod:/dev/gpiochip0?out=1", "gpiod", "pip install 'edgecl[gpio]'"),
        ("jetson?out=12", "Jetson", "pip install 'edgecl[jetson-gpio]'"),
    ],
)
def test_a_missing_library_names_the_command(tmp_path, monkeypatch, target, module, command):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError) as raised:
        open_gpio(request(tmp_path, target))
    assert command in raised.value.hint
    assert raised.value.code == "package-missing"


def test_libgpiod_1_is_told_apart(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gpiod", ModuleType("gpiod"))
    with pytest.raises(InputError, match="needs gpiod 2"):
        open_gpio(request(tmp_path, "gpiod:/dev/gpiochip0?out=1"))


class HeaderDouble(ModuleType):
    """Jetson.GPIO as far as it is used; its calls are kept."""

    BOARD, OUT, HIGH, LOW = 10, 0, 1, 0

    def __init__(self) -> None:
        super().__init__("Jetson.GPIO")
        self.calls: list[tuple[object, ...]] = []

    def setwarnings(self, state):
        self.calls.append(("setwarnings", state))

    def setmode(self, mode):
        self.calls.append(("setmode", mode))

    def setup(self, channels, direction, initial=None):
        if channels == 99:
            raise ValueError("Channel 99 is invalid")
        self.calls.append(("setup", channels, direction, initial))

    def output(self, channels, values):
        self.calls.append(("output", channels, values))

    def cleanup(self, channel=None):
        self.calls.append(("cleanup", channel))


@pytest.fixture
def header(monkeypatch) -> HeaderDouble:
    double, parent = HeaderDouble(), ModuleType("Jetson")
    parent.GPIO = double  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "Jetson", parent)
    monkeypatch.setitem(sys.modules, "Jetson.GPIO", double)
    return double


def test_lines_of_a_jetson(tmp_path, header):
    sink = open_gpio(request(tmp_path, "jetson?out=12,pulse=1ms&out=13,on=pass,active=low"))
    sink.emit(Verdict(0, time.monotonic_ns(), 0, Decision(Status.REJECT), {"total": 1}))
    sink.close()
    assert header.calls[:4] == [
        ("setwarnings", False),
        ("setmode", 10),
        ("setup", 12, 0, 0),
        ("setup", 13, 0, 1),
    ]
    assert header.calls[4:6] == [("output", 12, 1), ("output", 12, 0)]
    assert header.calls[-1] == ("cleanup", [12, 13])


@pytest.mark.parametrize(
    ("line", "told"), [("99", "Channel 99 is invalid"), ("GATE", "'GATE' is not a pin")]
)
def test_a_pin_that_a_jetson_has_not_is_told(tmp_path, header, line, told):
    with pytest.raises(InputError, match=told):
        open_gpio(request(tmp_path, f"jetson?out={line}"))
