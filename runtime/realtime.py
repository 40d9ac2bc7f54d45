"""Real-time terms from the operating system: locked memory, a scheduling class, cores.

Each is asked for, and said in one line where it is refused. All are given back at the end. Linux
only.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import InputError
from runtime.progress import Say

PRIORITY = 10
"""Above all usual work, below the kernel's interrupt threads, which have 50."""

_CURRENT, _FUTURE = 1, 2  # MCL_CURRENT, MCL_FUTURE
_IPC_LOCK = 14  # CAP_IPC_LOCK
_TASKS = Path("/proc/self/task")
_STATUS = Path("/proc/self/status")


@dataclass
class Granted:
    """The terms that hold.

    Args:
        memory_locked: whether no page leaves memory.
        scheduling: class and priority; None where it stayed the usual one.
        cpus: cores that the process is bound to; None where it is not.
    """

    memory_locked: bool = False
    scheduling: str | None = None
    cpus: tuple[int, ...] | None = None


def parse_cpus(text: str) -> tuple[int, ...]:
    """Read `2,3` or `2-5`.

    Raises:
        InputError: it is not a list of cores.
    """
    cpus: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,4})(?:\s*-\s*(\d{1,4}))?\s*", part, re.ASCII)
        first = int(match[1]) if match else 0
        last = int(match[2] or first) if match else -1
        if last < first:
            raise InputError(f"{text!r} is not a list of cores", hint="for example: --cpus 2,3")
        cpus.update(range(first, last + 1))
    return tuple(sorted(cpus))


@contextmanager
def realtime_terms(
    cpus: Sequence[int] | None, report: Say, *, realtime: bool = True
) -> Iterator[Granted]:
    """Hold real-time terms for the block, for the threads that there are and those to come.

    Args:
        cpus: cores to run on; None leaves that as it is.
        report: is told of each refusal, in one line.
        realtime: also lock the memory, and take the scheduling class.
    """
    granted = Granted()
    with contextlib.ExitStack() as stack:
        if sys.platform != "linux":
            report("note: --realtime and --cpus need Linux; the stream runs without them")
        else:
            if cpus is not None:
                stack.enter_context(_bound(tuple(cpus), granted, report))
            if realtime:
                stack.enter_context(_scheduled(granted, report))
                stack.enter_context(_locked(granted, report))
        yield granted


def take_precedence() -> None:
    """Put the calling thread above the others, where the process has the scheduling class.

    Threads of one priority wait for one another, up to 100 ms on a core that they share.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):
        if os.sched_getscheduler(0) == os.SCHED_RR:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY + 1))


def give_way() -> None:
    """Put the calling thread among the usual ones, for work that no verdict waits for.

    A thread inherits the scheduling class, and would take turns with the stream's own.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):
        if os.sched_getscheduler(0) == os.SCHED_RR:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


_BESIDE = (
    "import importlib, json, os, sys; os.setpgrp(); sys.path[:] = json.loads(sys.argv[1]); "
    "getattr(importlib.import_module(sys.argv[2]), 'serve')(*map(int, sys.argv[3:]))"
)


def start_beside(module: str, *descriptors: int) -> subprocess.Popen[bytes]:
    """Start a process that serves beside a stream, with the descriptors of its sockets.

    It has a group of its own: Ctrl-C is for the stream, which ends the process. But no session of
    its own: Linux would share the processor between the two sessions, whatever their processes'
    priorities.

    Args:
        module: has a function `serve`, which takes the descriptors.

    Raises:
        OSError: no process can be started.
    """
    path = json.dumps([entry or "." for entry in sys.path])
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _BESIDE, path, module, *map(str, descriptors)],
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@contextmanager
def threads_take_part() -> Iterator[None]:
    """Give threads that the block starts the stream's class, though the calling one gave way.

    They are an engine's own, which frames will wait for.
    """
    before = _threads()
    yield
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):
        if os.sched_getscheduler(os.getpid()) == os.SCHED_RR:
            for thread in _threads() - before:
                os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(PRIORITY))


def _threads() -> set[int]:
    with contextlib.suppress(OSError):
        return {int(task.name) for task in _TASKS.iterdir()}
    return set()


@contextmanager
def _bound(cpus: tuple[int, ...], granted: Granted, report: Say) -> Iterator[None]:
    before = os.sched_getaffinity(0)
    missing = sorted(set(cpus) - set(range(os.cpu_count() or 1)))
    reason = f"this machine has no core {missing[0]}" if missing else _bind(cpus, before)
    if reason:
        report(f"note: --cpus {','.join(map(str, cpus))} was refused ({reason})")
        yield
        return
    granted.cpus = cpus
    try:
        yield
    finally:
        _each_thread(lambda thread: os.sched_setaffinity(thread, before), quiet=True)


def _bind(cpus: tuple[int, ...], before: set[int]) -> str:
    """Bind all threads; where that is refused, say why and leave them as they were."""
    try:
        _each_thread(lambda thread: os.sched_setaffinity(thread, cpus))
        # The kernel leaves out in silence what a container may not use.
        held = tuple(sorted(os.sched_getaffinity(0)))
        reason = "" if held == cpus else f"only {', '.join(map(str, held))} of them may be used"
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        _each_thread(lambda thread: os.sched_setaffinity(thread, before), quiet=True)
    return reason


@contextmanager
def _scheduled(granted: Granted, report: Say) -> Iterator[None]:
    """Take round robin: threads of one priority take turns, as FIFO's would not."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        terms = os.sched_param(PRIORITY)
        _each_thread(lambda thread: os.sched_setscheduler(thread, os.SCHED_RR, terms))
    except OSError as error:
        _each_thread(lambda thread: os.sched_setscheduler(thread, policy, parameters), quiet=True)
        report(
            f"note: --realtime: the scheduling class was refused ({error.strerror}); "
            f"grant CAP_SYS_NICE or an rtprio limit of {PRIORITY}"
        )
        yield
        return
    granted.scheduling = f"SCHED_RR {PRIORITY}"
    try:
        yield
    finally:
        _each_thread(lambda thread: os.sched_setscheduler(thread, policy, parameters), quiet=True)


@contextmanager
def _locked(granted: Granted, report: Say) -> Iterator[None]:
    hint = "grant CAP_IPC_LOCK or an unlimited memlock limit"
    libc = ctypes.CDLL(None, use_errno=True)
    # Under a limit, what is allocated later would fail as if memory had run out.
    if not _may_lock_all():
        report(f"note: --realtime: memory was not locked (its limit is too low); {hint}")
        yield
        return
    if libc.mlockall(_CURRENT | _FUTURE):
        reason = os.strerror(ctypes.get_errno())
        report(f"note: --realtime: memory was not locked ({reason}); {hint}")
        yield
        return
    granted.memory_locked = True
    try:
        yield
    finally:
        libc.munlockall()


def _may_lock_all() -> bool:
    import resource  # Unix alone has it

    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return limit == resource.RLIM_INFINITY or bool(_capabilities() >> _IPC_LOCK & 1)


def _capabilities() -> int:
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", _STATUS.read_text(), re.MULTILINE)
    return int(found[1], 16) if found else 0


def _each_thread(work: Callable[[int], None], *, quiet: bool = False) -> None:
    """Call `work` with each thread's number: the kernel keeps these terms by thread."""
    for task in _TASKS.iterdir():
        try:
            work(int(task.name))
        except ProcessLookupError:
            continue  # it has ended
        except OSError:
            if not quiet:
                raise
