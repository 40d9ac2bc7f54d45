"""Training beside another busy process, with threads that spin while they wait and that sleep.

OpenMP's threads wait for one another at the end of every layer. By default they spin for some
milliseconds first; where another process has one of the cores, the thread that is waited for may
not run while the others burn its time. Both sides are `pretrain_epoch` with as many threads as
there are cores, each in a process of its own; they take turns, alone and beside processes that do
nothing but count. Run it on a machine that is otherwise idle:

    python benchmarks/shared_machine.py [--busy 1] [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.training import Case, Side

WAITING = {
    "spinning (as OpenMP does by default)": {},
    "sleeping (OMP_WAIT_POLICY=PASSIVE)": {"OMP_WAIT_POLICY": "PASSIVE"},
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--case", type=Case.parse, default="shufflenet-100x100")
    parser.add_argument("--busy", type=int, default=1, help="processes beside it")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2, help="training steps in a turn")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    os.environ.pop("OMP_WAIT_POLICY", None)
    case: Case = arguments.case
    seconds: dict[tuple[str, bool], list[float]] = {}
    with ExitStack() as stack:
        sides = {
            name: stack.enter_context(
                Side("edgecl", case, arguments.batch_size, arguments.threads, variables)
            )
            for name, variables in WAITING.items()
        }
        for side in sides.values():
            side.take_turn(arguments.steps)
        for _ in range(arguments.rounds):
            for busy in (False, True):
                with ExitStack() as beside:
                    for _ in range(arguments.busy if busy else 0):
                        beside.callback(_count().kill)
                    for name, side in sides.items():
                        taken = side.take_turn(arguments.steps) / arguments.steps
                        seconds.setdefault((name, busy), []).append(taken)
    print(
        f"{case.name}, batches of {arguments.batch_size}, {arguments.threads} thread(s), "
        f"{len(os.sched_getaffinity(0))} cores, {arguments.rounds} rounds; median seconds a step"
    )
    for name in WAITING:
        alone, beside_busy = (statistics.median(seconds[name, busy]) for busy in (False, True))
        print(
            f"{name}: alone {alone:.3f}, beside {arguments.busy} busy process(es) "
            f"{beside_busy:.3f}, {beside_busy / alone:.2f}x (worst turn "
            f"{max(seconds[name, True]) / alone:.1f}x)"
        )


def _count() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "while True: pass"])


if __name__ == "__main__":
    main()
