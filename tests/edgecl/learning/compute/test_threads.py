"""Training takes the cores that other processes leave."""

from __future__ import annotations

import os
import time

import pytest
import torch

from edgecl.learning.compute import threads
from edgecl.learning.compute.threads import (
    WINDOW_S,
    SharedCores,
    family_s,
    others_busy_s,
    sharing_cores,
)


class Machine:
    """A clock, and other processes that use `others` cores."""

    def __init__(self) -> None:
        self.now = self.busy = 0.0

    def pass_time(self, seconds: float, others: float) -> None:
        self.now += seconds
        self.busy += seconds * others

    def cores(self, most: int, cores: int | None = None) -> SharedCores:
        return SharedCores(most, cores or most, busy_s=lambda: self.busy, clock=lambda: self.now)


@pytest.mark.parametrize(
    ("most", "others", "expected"),
    [(2, 0.0, 2), (2, 0.3, 2), (2, 1.0, 1), (2, 5.0, 1), (8, 1.0, 7), (8, 3.6, 4), (1, 0.9, 1)],
)
def test_as_many_threads_as_others_leave_cores(most, others, expected):
    machine = Machine()
    cores = machine.cores(most)
    machine.pass_time(10, others)
    assert cores.threads() == expected


def test_others_on_cores_that_are_not_ours_leave_us_ours():
    machine = Machine()
    cores = machine.cores(4, cores=64)
    machine.pass_time(5, 30)
    assert cores.threads() == 4
    machine.pass_time(5, 62)
    assert cores.threads() == 2


def test_the_threads_come_back_when_the_others_have_gone():
    machine = Machine()
    cores = machine.cores(4)
    machine.pass_time(5, 3)
    assert cores.threads() == 1
    machine.pass_time(WINDOW_S / 2, 0)
    assert cores.threads() is None, "too short to tell"
    machine.pass_time(5, 0)
    assert cores.threads() == 4


@pytest.fixture
def two_threads(monkeypatch):
    """An idle machine's two threads, and a clock and load that the test moves."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before, machine = torch.get_num_threads(), Machine()
    monkeypatch.setattr(threads, "SharedCores", lambda most, _: machine.cores(most))
    torch.set_num_threads(2)
    yield machine
    torch.set_num_threads(before)


def test_torch_is_told_and_has_its_threads_back_at_the_end(two_threads):
    with sharing_cores(torch.device("cpu")) as take_free_cores:
        two_threads.pass_time(1, 1)
        take_free_cores()
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(("device", "settled"), [("cpu", "2"), ("cuda", None)])
def test_what_is_settled_stays(two_threads, monkeypatch, device, settled):
    if settled is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", settled)
    with sharing_cores(torch.device(device)) as take_free_cores:
        two_threads.pass_time(1, 1)
        take_free_cores()
        assert torch.get_num_threads() == 2


def test_processes_that_training_started_are_no_others(tmp_path):
    mine, ticks = os.getpid(), os.sysconf("SC_CLK_TCK")
    parents = {1: 0, mine: 1, 900001: mine, 900002: 900001, 900003: 1}
    for pid, parent in parents.items():
        (tmp_path / str(pid)).mkdir()
        rest = f"S {parent} {' 0' * 9} {ticks} {ticks} {ticks} 0 20"
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (an odd) name) {rest}")
    assert family_s(tmp_path) == 3 * 3, "this process, its child and that one's child"


def test_this_process_is_not_among_the_others():
    before, deadline = family_s(), time.process_time() + 0.3
    while time.process_time() < deadline:
        pass
    assert family_s() - before > 0.2
    assert others_busy_s() >= 0
