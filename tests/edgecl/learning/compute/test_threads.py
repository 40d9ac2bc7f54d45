"""Training takes the cores that other processes leave, once, and keeps to them."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from edgecl.learning import runner
from edgecl.learning.compute.threads import (
    WINDOW_S,
    OthersLoad,
    are_settled,
    family_s,
    free_threads,
    others_busy_s,
)
from edgecl.learning.loop.stages import geometry
from edgecl.learning.run import run_directory
from edgecl.learning.runner import pretrain_run


@pytest.mark.parametrize(
    ("most", "cores", "others", "expected"),
    [
        (2, 2, 0.0, 2),
        (2, 2, 0.3, 2),
        (2, 2, 1.0, 1),
        (2, 2, 5.0, 1),
        (8, 8, 3.6, 4),
        (1, 1, 0.9, 1),
        (4, 64, 30.0, 4),
        (4, 64, 62.0, 2),
    ],
)
def test_as_many_threads_as_others_leave_cores(most, cores, others, expected):
    assert free_threads(most, cores, others) == expected


def test_a_load_is_measured_over_long_enough_a_time():
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    load = OthersLoad(busy_s=lambda: 1.5 * now[0], clock=lambda: now[0], sleep=sleep)
    assert load.cores() == pytest.approx(1.5)
    assert slept == [WINDOW_S]
    now[0] += 10
    assert load.cores() == pytest.approx(1.5)
    assert slept[1] == 0


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


def _recorded(run: Path) -> int:
    machine = run_directory.read_config(run).machine
    assert machine is not None
    return machine.threads


class Busy:
    """A machine on which others keep `others` cores busy."""

    others = 0.0

    def cores(self) -> float:
        return self.others


@pytest.fixture
def machine(monkeypatch):
    """Two threads that nothing settles, and the load of others."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before, busy = torch.get_num_threads(), Busy()
    monkeypatch.setattr(runner, "OthersLoad", lambda: busy)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    torch.set_num_threads(2)
    yield busy
    torch.set_num_threads(before)


def test_a_run_keeps_the_threads_that_it_began_with(machine, tiny_config, tmp_path):
    config = replace(tiny_config, pretrain_only=True)
    used: list[int] = []
    told: list[str] = []

    def watch(stage: str, done: int, total: int, text: str) -> None:
        if stage == "threads":
            told.append(text)
        if stage == "pretraining":
            used.append(torch.get_num_threads())
            if len(used) == 7:  # of ten, in the second epoch
                raise KeyboardInterrupt

    machine.others = 1.0
    with pytest.raises(KeyboardInterrupt):
        pretrain_run(config, tmp_path / "run", report=watch)
    assert set(used) == {1}
    assert torch.get_num_threads() == 2, "the caller has its threads back"
    assert _recorded(tmp_path / "run") == 1
    assert told == [
        "training with 1 instead of 2: other processes keep 1.0 cores busy; "
        "OMP_NUM_THREADS settles it"
    ]
    machine.others = 0.0
    used.clear()
    pretrain_run(config, tmp_path / "run", report=watch)
    assert set(used) == {1}, "resumed on an idle machine"


def test_geometries_are_compared_with_the_threads_that_others_leave(
    machine, tiny_config, tmp_path, monkeypatch
):
    class ComparedError(Exception):
        pass

    def compare(*_: object, **__: object) -> None:
        assert torch.get_num_threads() == 1
        raise ComparedError

    machine.others = 1.0
    monkeypatch.setattr(geometry, "compare_geometries", compare)
    with pytest.raises(ComparedError):
        pretrain_run(
            replace(tiny_config, pretrain_only=True, geometry="auto"),
            tmp_path / "run",
            report=lambda *_: None,
        )


def test_an_idle_machine_is_used_whole(machine, tiny_config, tmp_path):
    pretrain_run(
        replace(tiny_config, pretrain_only=True, pretrain_epochs=1),
        tmp_path / "run",
        report=lambda *_: None,
    )
    assert _recorded(tmp_path / "run") == 2


@pytest.mark.parametrize(("device", "variable"), [("cpu", "2"), ("cuda", None)])
def test_what_is_settled_stays(machine, monkeypatch, device, variable):
    assert not are_settled(torch.device("cpu"))
    if variable is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert are_settled(torch.device(device))
