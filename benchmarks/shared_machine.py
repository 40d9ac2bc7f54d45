"""Training beside another busy process: a thread for every core, and for every core left free.

OpenMP's threads wait for one another at the end of every layer; beside a busy process most of the
time goes into waiting. `OMP_NUM_THREADS` says how many there are. Both sides are `pretrain_epoch`,
one with as many threads as there are cores, the other with one less, each in a process of its own.
They take turns, alone, beside a process that does nothing but count, and beside a training like
themselves. Run it on a machine that is otherwise idle:

    python benchmarks/shared_machine.py [--case convnet-100x100] [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.script import run_script
from benchmarks.training import Case, Side

ALONE, COUNTING, TRAINING = "alone", "beside a busy process", "beside a training like itself"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--case", type=Case.parse, default="shufflenet-100x100")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2, help="training steps in a turn")
    parser.add_argument("--batch-size", type=int, default=32)
    arguments = parser.parse_args()
    case: Case = arguments.case
    cores = len(os.sched_getaffinity(0))
    sides = {"a thread per core": cores, "a thread per free core": max(1, cores - 1)}
    seconds: dict[tuple[str, str], list[float]] = {}
    with ExitStack() as stack:
        pairs = {
            name: [
                stack.enter_context(Side("edgecl", case, arguments.batch_size, threads))
                for _ in range(2)
            ]
            for name, threads in sides.items()
        }
        for pair in pairs.values():
            for side in pair:
                side.take_turn(arguments.steps)
        for _ in range(arguments.rounds):
            for beside in (ALONE, COUNTING, TRAINING):
                for name, (side, other) in pairs.items():
                    taken = _turn(side, other, beside, arguments.steps)
                    seconds.setdefault((name, beside), []).append(taken)
    print(
        f"{case.name}, batches of {arguments.batch_size}, {cores} cores, {arguments.rounds} "
        "rounds; median seconds a step"
    )
    for beside in (ALONE, COUNTING, TRAINING):
        many, few = (statistics.median(seconds[name, beside]) for name in sides)
        print(f"{beside}: a thread per core {many:.3f}, one less {few:.3f}, {many / few:.2f}x")


def _turn(side: Side, other: Side, beside: str, steps: int) -> float:
    """Return the seconds a step of `side` took."""
    if beside == COUNTING:
        busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            return side.take_turn(steps) / steps
        finally:
            busy.kill()
            busy.wait()
    if beside == TRAINING:
        # Longer than the turn that is measured, so that it is never alone.
        companion = threading.Thread(target=other.take_turn, args=(2 * steps,))
        companion.start()
        taken = side.take_turn(steps) / steps
        companion.join()
        return taken
    return side.take_turn(steps) / steps


if __name__ == "__main__":
    run_script(main)
