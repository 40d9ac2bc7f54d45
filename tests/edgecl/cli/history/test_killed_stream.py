"""A stream that is killed, and the next one into the same archive."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

from tests.edgecl.command import finish, start

PATIENCE = 120.0


def frames(archive: Path) -> list[tuple[int, int, str]]:
    """Run, frame and status of each row; none before the tables are there."""
    if not archive.exists():
        return []
    with closing(sqlite3.connect(archive)) as connection:
        try:
            query = "SELECT run, frame, status FROM verdicts ORDER BY run, frame"
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []


def test_a_killed_stream_keeps_its_rows_and_the_next_one_says_so(tmp_path, make_bundle):
    archive = tmp_path / "a.sqlite"
    command = ["run", "--model", make_bundle(), "--engine", "onnxruntime", "--camera", "demo"]
    command += ["--fps", "50", "--every-frame", "--sink", f"sqlite:{archive}"]
    nowhere = subprocess.DEVNULL
    stream = start(*command, "--out", tmp_path / "first", stdout=nowhere, stderr=nowhere)
    end = time.monotonic() + PATIENCE
    while len(seen := frames(archive)) < 40:
        assert time.monotonic() < end
        assert stream.poll() is None
        time.sleep(0.05)
    stream.send_signal(signal.SIGKILL)
    stream.wait()

    code, out, err = finish(*command, "--frames", "20", "--out", tmp_path / "second", "--json")
    assert code == 0, err
    rows = frames(archive)
    first = [row for row in rows if row[0] == 1]
    assert first[: len(seen)] == seen
    assert f"was broken off; its {len(first)} archived verdicts are whole" in err
    assert f"its {len(first)} archived" in " ".join(json.loads(out)["notes"])
    journal = (tmp_path / "first" / "verdicts.jsonl").read_text(encoding="utf-8")
    lines = {line["frame"]: line["status"] for line in map(json.loads, journal.splitlines())}
    assert [frame for _, frame, _ in first] == list(range(len(first)))
    assert {frame: status for _, frame, status in first if frame in lines}.items() <= lines.items()

    code, out, err = finish("history", archive, "--by", "run", "--json")
    assert code == 0, err
    assert [group["verdicts"] for group in json.loads(out)["groups"]] == [len(first), 20]
