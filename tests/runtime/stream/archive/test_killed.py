"""A writing process that is killed at any moment loses no row that was on the disk."""

from __future__ import annotations

import random
import signal
import subprocess
import sys

from runtime.stream.archive.history import read_history
from runtime.stream.sinks.base import StreamFacts
from runtime.stream.sinks.sqlite import SqliteSink
from tests.runtime.stream.archive.archives import rows

KILLS = 5

WRITER = """
import itertools, sys, time
from pathlib import Path
from runtime.stream.sinks.base import StreamFacts
from runtime.stream.sinks.sqlite import SqliteSink
from tests.runtime.stream.archive.archives import verdict
import runtime.stream.sinks.sqlite as module

module.PERIOD_S, module.BATCH = 0.0005, 20
sink = SqliteSink(Path(sys.argv[1]), StreamFacts(run=sys.argv[2]), capacity=200)
for number in itertools.count():
    while number - sink.written > 100:
        time.sleep(0.0002)
    sink.emit(verdict(number))
    print(sink.written, flush=True)
"""


def test_killed_at_random_moments_and_begun_again(tmp_path):
    path, chance = tmp_path / "a.sqlite", random.Random(5)
    acknowledged: list[int] = []
    for kill in range(KILLS):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, path, f"run{kill}"], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        lines = chance.randrange(1, 2000)
        told = 0
        for _, line in zip(range(lines), writer.stdout, strict=False):
            told = int(line)
        writer.send_signal(signal.SIGKILL)
        told = max([told, *map(int, writer.stdout.read().split("\n")[:-1])])
        writer.wait()
        writer.stdout.close()
        # Each second time the next writer is the first who looks at what SQLite left.
        if kill % 2:
            history = read_history(path, "run")
            counts = {group.name: group.verdicts for group in history.groups}
            assert counts.get(f"run{kill}", 0) >= told
        acknowledged.append(told)
    notes: list[str] = []
    SqliteSink(path, StreamFacts(), report=notes.append).close()
    assert len(notes) == 1, "the writers said the others"
    assert "was broken off" in notes[0]
    assert not list(tmp_path.glob("*damaged*"))
    broken = rows(path, "SELECT id FROM runs WHERE outcome = 'broken-off' ORDER BY number")
    assert broken == [f"run{kill}" for kill in range(KILLS)]
    bad = "status IS NOT 'pass' OR infer_ns != 500 + frame OR total_ns != 1000 + frame"
    assert rows(path, f"SELECT count(*) FROM verdicts WHERE {bad}") == [0], "no row is torn"
    for kill, told in enumerate(acknowledged):
        found = rows(path, f"SELECT frame FROM records WHERE run_id = 'run{kill}' ORDER BY frame")
        assert found == list(range(len(found))), "no row is missing"
        assert len(found) >= told
    assert rows(path, "PRAGMA integrity_check") == ["ok"]
