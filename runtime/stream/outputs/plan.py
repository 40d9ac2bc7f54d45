"""Digital outputs as `--sink gpio:` names them: which line answers to which verdicts, and how."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from runtime.errors import InputError
from runtime.stream.budget import parse_time
from runtime.stream.verdict import Status

BACKENDS = ("gpiod", "jetson", "file")
LINE, FILE = "line", "file"
NOT_PASS = frozenset(set(Status) - {Status.PASS})
PULSE_NS = 50_000_000
EVERY_NS = 100_000_000
LONGEST_NS = 60_000_000_000
MOST_TICKS = 2**31
EXAMPLE = "gpio:gpiod:/dev/gpiochip0?out=17,delay=120ms&watchdog=27"

_KEYS: Mapping[str, Sequence[str]] = {
    "out": ("on", "pulse", "delay", "active"),
    "watchdog": ("every", "active"),
    "ticks": (),
}


@dataclass(frozen=True)
class DigitalOutput:
    """An output that answers to verdicts with a pulse.

    Args:
        line: number or name.
        on: statuses that raise it.
        pulse_ns: how long it stays up, in nanoseconds.
        delay_ns: from the frame's capture to the pulse, in nanoseconds; 0 for at once.
        delay_ticks: the same in ticks of an encoder; 0 for none.
        active_low: whether the line is up at its low level.
    """

    line: str
    on: frozenset[Status] = NOT_PASS
    pulse_ns: int = PULSE_NS
    delay_ns: int = 0
    delay_ticks: int = 0
    active_low: bool = False


@dataclass(frozen=True)
class AliveSignal:
    """A line that changes its level for as long as edgecl acts.

    Args:
        line: number or name.
        every_ns: nanoseconds from change to change.
        active_low: as for an output.
    """

    line: str
    every_ns: int = EVERY_NS
    active_low: bool = False


@dataclass(frozen=True)
class OutputPlan:
    """Plan of all digital outputs.

    Args:
        backend: one of `BACKENDS`.
        place: a chip's device, or a file; empty where the backend needs none.
        outputs: at most one for a line.
        alive: None without a watchdog.
        ticks: where ticks come from: `line` or `file`, and its number, name or path; None where
            no delay is in ticks.
    """

    backend: str
    place: str
    outputs: tuple[DigitalOutput, ...]
    alive: AliveSignal | None = None
    ticks: tuple[str, str] | None = None

    @property
    def lines(self) -> Mapping[str, bool]:
        """Whether each line is active low."""
        signals = (*self.outputs, *((self.alive,) if self.alive else ()))
        return {signal.line: signal.active_low for signal in signals}


def parse_outputs(text: str) -> OutputPlan:
    """Read what follows `gpio:`.

    Raises:
        InputError: it is no such plan.
    """
    place, _, rest = text.partition("?")
    backend, _, place = place.partition(":")
    if backend not in BACKENDS:
        _fail(
            f"{backend!r} is not a backend", f"choose from {', '.join(BACKENDS)}, as in {EXAMPLE}"
        )
    if bool(place) == (backend == "jetson"):
        wanted = {"gpiod": "gpiod:/dev/gpiochip0", "file": "file:lines.txt", "jetson": "jetson?…"}
        problem = "takes no place" if place else "has no place"
        _fail(f"{backend} {problem}", f"write gpio:{wanted[backend]}")
    outputs: list[DigitalOutput] = []
    alive: AliveSignal | None = None
    ticks: tuple[str, str] | None = None
    for kind, value, options in _blocks(rest):
        if kind == "out":
            outputs.append(_output(value, options))
        elif kind == "watchdog" and alive is None:
            every = _time(options["every"], "every") if "every" in options else EVERY_NS
            alive = AliveSignal(value, every, _active_low(options))
        elif kind == "ticks" and ticks is None:
            ticks = _ticks(value, backend)
        else:
            _fail(f"{kind} is there twice", "keep one of them")
    plan = OutputPlan(backend, place, tuple(outputs), alive, ticks)
    _check_whole(plan)
    return plan


def _blocks(text: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The signals of a plan: kind, what it names, and its options."""
    for block in filter(None, text.split("&")):
        pairs = [pair.partition("=") for pair in block.split(",")]
        for name, equals, value in pairs:
            if not equals or not value:
                _fail(f"{name!r} in {block!r} has no value", f"write NAME=VALUE, as in {EXAMPLE}")
            if not value.isprintable() or " " in value:
                _fail(f"there is a blank in {name}={value!r}", "write it without")
        (kind, _, value), *rest = pairs
        if kind not in _KEYS:
            _unknown(kind, _KEYS)
        options: dict[str, str] = {}
        for name, _, given in rest:
            if name not in _KEYS[kind]:
                _unknown(name, _KEYS[kind], f" of {kind}")
            if name in options:
                _fail(f"{name} is twice in {block!r}", "keep one of them")
            options[name] = given
        yield kind, value, options


def _output(line: str, options: Mapping[str, str]) -> DigitalOutput:
    delay = options.get("delay", "")
    ticks = re.fullmatch(r"(\d{1,10})\s*ticks?", delay, re.ASCII)
    if ticks and not 0 < int(ticks[1]) < MOST_TICKS:
        _fail(f"delay={delay} is not from 1 to {MOST_TICKS - 1} ticks", "pass the belt's ticks")
    return DigitalOutput(
        line,
        _statuses(options["on"]) if "on" in options else NOT_PASS,
        _time(options["pulse"], "pulse") if "pulse" in options else PULSE_NS,
        _time(delay, "delay") if delay and not ticks else 0,
        int(ticks[1]) if ticks else 0,
        _active_low(options),
    )


def _statuses(text: str) -> frozenset[Status]:
    known = {status.value: status for status in Status}
    names = text.split("+")
    for name in names:
        if name not in known:
            _fail(f"{name!r} is not a status", f"join some of {'+'.join(known)}, as in on=reject")
    return frozenset(known[name] for name in names)


def _time(text: str, what: str) -> int:
    hint = f"as in {what}=50ms" + (", or delay=1200ticks" if what == "delay" else "")
    nanoseconds = parse_time(text, hint, f"--sink gpio: {what}")
    if not 1_000_000 <= nanoseconds <= LONGEST_NS:
        _fail(f"{what}={text} is not from 1 ms to 60 s", hint)
    return nanoseconds


def _active_low(options: Mapping[str, str]) -> bool:
    active = options.get("active", "high")
    if active not in ("high", "low"):
        _fail(f"active={active} is neither high nor low", "write active=low for an inverted line")
    return active == "low"


def _ticks(text: str, backend: str) -> tuple[str, str]:
    kind, _, place = text.partition(":")
    if kind not in (LINE, FILE) or not place:
        _fail(
            f"ticks={text} is not a source of ticks",
            "write ticks=line:5 for an input of the chip, or ticks=file:counter.txt",
        )
    if kind == LINE and backend != "gpiod":
        _fail(f"ticks={text} needs a chip", "use gpio:gpiod:…, or ticks=file:counter.txt")
    return kind, place


def _check_whole(plan: OutputPlan) -> None:
    if not plan.lines:
        _fail("there is no output", f"name one with out=LINE, as in {EXAMPLE}")
    lines = [output.line for output in plan.outputs]
    lines += [plan.alive.line] if plan.alive else []
    lines += [plan.ticks[1]] if plan.ticks and plan.ticks[0] == LINE else []
    for line in lines:
        if lines.count(line) > 1:
            _fail(f"the line {line} is there twice", "give each output a line of its own")
    by_ticks = any(output.delay_ticks for output in plan.outputs)
    if by_ticks and plan.ticks is None:
        _fail("a delay in ticks needs ticks", "add &ticks=line:5 or &ticks=file:counter.txt")
    if plan.ticks is not None and not by_ticks:
        _fail("ticks has no effect without a delay in ticks", "drop it, or write delay=1200ticks")


def _unknown(name: str, known: Mapping[str, object] | Sequence[str], of: str = "") -> NoReturn:
    close = difflib.get_close_matches(name, list(known), 1)
    listed = f"the keys{of} are {', '.join(known)}" if known else f"there are no keys{of}"
    _fail(f"{name!r} is not a key{of}", f"did you mean {close[0]}?" if close else listed)


def _fail(problem: str, hint: str) -> NoReturn:
    raise InputError(f"--sink gpio: {problem}", hint=hint)
