"""Real-time terms, asked of an operating system that grants or refuses. No test needs a right."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from runtime import realtime
from runtime.errors import InputError
from runtime.realtime import PRIORITY, Granted, parse_cpus, realtime_terms


class FakeSystem:
    """Terms of threads that are all this process's; `refuse` holds the calls that fail."""

    SCHED_RR = os.SCHED_RR

    def __init__(self) -> None:
        self.refuse: set[str] = set()
        self.affinity = {7: {0, 1, 2, 3}, 8: {0, 1, 2, 3}}
        self.policy: dict[int, tuple[int, object]] = {7: (0, "usual"), 8: (0, "usual")}
        self.allowed = {0, 1, 2, 3}
        self.locked = 0

    def _check(self, name: str, error: int = errno.EPERM) -> None:
        if name in self.refuse:
            raise OSError(error, os.strerror(error))

    def cpu_count(self) -> int:
        return 4

    def sched_getaffinity(self, thread: int) -> set[int]:
        return self.affinity[thread or 7]

    def sched_setaffinity(self, thread: int, cpus) -> None:
        self._check("affinity", errno.EINVAL)
        self.affinity[thread] = set(cpus) & self.allowed

    def sched_getscheduler(self, thread: int) -> int:
        return self.policy[thread or 7][0]

    def sched_getparam(self, thread: int) -> object:
        return self.policy[thread or 7][1]

    def sched_param(self, priority: int) -> object:
        return priority

    def sched_setscheduler(self, thread: int, policy: int, parameters: object) -> None:
        if thread == 8 and policy == os.SCHED_RR:
            self._check("second thread")
        self._check("scheduling") if policy == os.SCHED_RR else None
        self.policy[thread] = (policy, parameters)

    def strerror(self, number: int) -> str:
        return os.strerror(number)

    def mlockall(self, flags: int) -> int:
        self.locked = 0 if "lock" in self.refuse else flags
        return -1 if "lock" in self.refuse else 0

    def munlockall(self) -> int:
        self.locked = 0
        return 0


@pytest.fixture
def system(monkeypatch) -> FakeSystem:
    fake = FakeSystem()

    def each_thread(work: Callable[[int], None], *, quiet: bool = False) -> None:
        for thread in (7, 8):
            try:
                work(thread)
            except OSError:
                if not quiet:
                    raise

    library = SimpleNamespace(CDLL=lambda name, use_errno: fake, get_errno=lambda: errno.ENOMEM)
    monkeypatch.setattr(realtime, "os", fake)
    monkeypatch.setattr(realtime, "ctypes", library)
    monkeypatch.setattr(realtime, "_each_thread", each_thread)
    monkeypatch.setattr(realtime, "_may_lock_all", lambda: "limit" not in fake.refuse)
    return fake


def test_all_is_granted_and_given_back(system):
    said: list[str] = []
    with realtime_terms((2, 3), said.append) as granted:
        assert granted == Granted(True, f"SCHED_RR {PRIORITY}", (2, 3))
        assert system.affinity == {7: {2, 3}, 8: {2, 3}}
        assert system.policy == {7: (os.SCHED_RR, PRIORITY), 8: (os.SCHED_RR, PRIORITY)}
        assert system.locked == 3
    assert said == []
    assert system.affinity == {7: {0, 1, 2, 3}, 8: {0, 1, 2, 3}}
    assert system.policy == {7: (0, "usual"), 8: (0, "usual")}
    assert system.locked == 0


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        ("limit", "memory was not locked (its limit is too low); grant CAP_IPC_LOCK"),
        ("lock", "memory was not locked (Cannot allocate memory); grant CAP_IPC_LOCK"),
        ("scheduling", "scheduling class was refused (Operation not permitted); grant CAP_SYS"),
        ("second thread", "scheduling class was refused (Operation not permitted)"),
        ("affinity", "--cpus 1 was refused (Invalid argument)"),
    ],
)
def test_each_refusal_is_one_line_and_the_others_hold(system, refused, told):
    said: list[str] = []
    system.refuse = {refused}
    with realtime_terms((1,), said.append) as granted:
        assert granted.memory_locked == (refused not in ("limit", "lock"))
        assert (granted.scheduling is None) == (refused in ("scheduling", "second thread"))
        assert (granted.cpus is None) == (refused == "affinity")
        if granted.scheduling is None:
            assert system.policy[7] == (0, "usual")  # not one thread before the others
    (line,) = said
    assert told in line
    assert "\n" not in line
    assert system.policy[7] == (0, "usual")


def test_cores_that_are_not_there_or_not_allowed(system):
    said: list[str] = []
    with realtime_terms((3, 9), said.append, realtime=False) as granted:
        assert granted == Granted()
    system.allowed = {0, 1}
    with realtime_terms((1, 2), said.append, realtime=False) as granted:
        assert granted == Granted()
        assert system.affinity == {7: {0, 1}, 8: {0, 1}}
    assert said == [
        "note: --cpus 3,9 was refused (this machine has no core 9)",
        "note: --cpus 1,2 was refused (only 1 of them may be used)",
    ]


def test_cores_alone_need_no_realtime(system):
    with realtime_terms((1,), print, realtime=False) as granted:
        assert granted == Granted(cpus=(1,))
        assert system.policy == {7: (0, "usual"), 8: (0, "usual")}
        assert not system.locked


def test_terms_are_given_back_when_the_stream_fails(system):
    with pytest.raises(KeyError), realtime_terms((1,), print):
        raise KeyError
    assert system.policy[7] == (0, "usual")
    assert not system.locked


def test_another_system_says_that_it_has_none_of_it(monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(sys, "platform", "darwin")
    with realtime_terms((1,), said.append) as granted:
        assert granted == Granted()
    assert said == ["note: --realtime and --cpus need Linux; the stream runs without them"]


def test_a_thread_that_must_not_wait_goes_before_the_others(system):
    realtime.take_precedence()
    assert 0 not in system.policy  # without the scheduling class there is nothing to do
    system.policy[7] = (os.SCHED_RR, PRIORITY)
    realtime.take_precedence()
    assert system.policy[0] == (os.SCHED_RR, PRIORITY + 1)
    system.refuse = {"scheduling"}
    realtime.take_precedence()  # a refusal changes nothing


def test_every_thread_of_this_process_is_reached():
    asked: list[int] = []
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    realtime._each_thread(asked.append)
    done.set()
    thread.join()
    assert {threading.get_native_id(), thread.native_id} <= set(asked)


def test_a_real_core_is_taken_and_given_back():
    before = os.sched_getaffinity(0)
    core = min(before)
    said: list[str] = []
    with realtime_terms((core,), said.append, realtime=False) as granted:
        assert granted.cpus == (core,)
        assert os.sched_getaffinity(0) == {core}
    assert os.sched_getaffinity(0) == before
    assert said == []


@pytest.mark.parametrize(
    ("text", "cpus"), [("2", (2,)), ("3,1", (1, 3)), ("0-2", (0, 1, 2)), (" 1 , 1-2 ", (1, 2))]
)
def test_lists_of_cores(text, cpus):
    assert parse_cpus(text) == cpus


@pytest.mark.parametrize("text", ["", "a", "1,", "3-1", "-1", "1;2", "1.5"])
def test_what_is_no_list_of_cores(text):
    with pytest.raises(InputError, match="is not a list of cores"):
        parse_cpus(text)
