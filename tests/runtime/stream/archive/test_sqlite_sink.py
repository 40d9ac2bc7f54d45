"""The archive of a stream that runs as it should: rows, runs, schemas, and who may write."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from runtime.errors import InputError
from runtime.stream.archive import schema
from runtime.stream.archive.holding import require_archive_or_nothing
from runtime.stream.sinks import JsonLinesSink, open_sink
from runtime.stream.sinks.base import StreamFacts
from runtime.stream.sinks.sqlite import SqliteSink
from runtime.stream.verdict import Status, Verdict, WorstTile
from tests.runtime.stream.archive.archives import archive, rows, verdict


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("runtime.stream.sinks.sqlite.PERIOD_S", 0.001)


def odd_verdicts() -> list[Verdict]:
    tile = WorstTile(left=1, top=2, width=3, height=4, label="dent", confidence=0.5)
    return [
        verdict(0, Status.REJECT, "dent", worst_tile=tile, distance=0.25),
        verdict(1, Status.FAULT, "", reason="dark: 1 % of white"),
        verdict(2, Status.PASS, "dent", answer=Status.REJECT, reason="1 of the last 3"),
        verdict(3, Status.REJECT, "", late=True, reason="over the deadline"),
    ]


def test_a_thousand_rows_are_those_of_the_journal(tmp_path):
    archived = SqliteSink(tmp_path / "a.sqlite", StreamFacts())
    sinks = (archived, JsonLinesSink(tmp_path / "v.jsonl"))
    for entry in [*odd_verdicts(), *(verdict(number) for number in range(4, 1000))]:
        for sink in sinks:
            sink.emit(entry)
    for sink in sinks:
        sink.close()
        sink.close()
        assert (sink.lost, sink.problem) == (0, "")
    assert archived.written == 1000
    lines = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text().splitlines()]
    journal = [
        (
            line["frame"],
            line["captured_at"],
            line["status"],
            line["label"],
            line["confidence"],
            line.get("reason", ""),
            int(line.get("late", False)),
            line.get("answer"),
            line["steps_ns"]["total"],
            line["steps_ns"]["infer"],
            line.get("distance"),
            line.get("worst_tile"),
        )
        for line in lines
    ]
    columns = "frame, captured_at, status, label, confidence, reason, late, answer"
    found = rows(
        tmp_path / "a.sqlite",
        f"SELECT {columns}, total_ns, infer_ns, distance, worst_tile FROM verdicts ORDER BY frame",
    )
    assert [(*row[:-1], json.loads(row[-1] or "null")) for row in found] == journal
    total = sum(line["steps_ns"]["total"] for line in lines)
    assert rows(tmp_path / "a.sqlite", "SELECT sum(total_ns) FROM verdicts") == [total]


def test_the_run_and_the_ids_of_its_verdicts(tmp_path):
    facts = StreamFacts(
        camera="demo", model="line.edgecl", digest="abc", pass_labels=("good",), lot="L7"
    )
    first = archive(tmp_path / "a.sqlite", facts=facts)
    second = archive(tmp_path / "a.sqlite")
    columns = "id, camera, model, digest, pass_labels, lot, outcome, written, lost"
    found = rows(tmp_path / "a.sqlite", f"SELECT {columns} FROM runs")
    assert found[0] == (first, "demo", "line.edgecl", "abc", '["good"]', "L7", "ended", 3, 0)
    assert found[1][0] == second
    ids = rows(tmp_path / "a.sqlite", "SELECT id FROM records ORDER BY id")
    assert ids == sorted(f"{run}/{frame}" for run in (first, second) for frame in range(3))


def test_cameras_of_one_run_have_ids_of_their_own(tmp_path):
    sink = SqliteSink(tmp_path / "a.sqlite", StreamFacts(run="R"))
    for camera in ("left", "right"):
        entry = verdict(0)
        sink.emit(Verdict(0, 0, 0, entry.decision, entry.steps, camera=camera))
    sink.close()
    found = rows(tmp_path / "a.sqlite", "SELECT id FROM records ORDER BY id")
    assert found == ["R/left/0", "R/right/0"]


def test_one_stream_at_a_time(tmp_path):
    sink = SqliteSink(tmp_path / "a.sqlite", StreamFacts())
    with pytest.raises(InputError, match=r"another stream writes to .*a\.sqlite"):
        SqliteSink(tmp_path / "a.sqlite", StreamFacts())
    sink.close()
    archive(tmp_path / "a.sqlite")


def test_an_archive_that_another_program_locks_at_the_start(tmp_path, monkeypatch):
    monkeypatch.setattr("runtime.stream.archive.writer.START_WAIT_S", 0.01)
    archive(tmp_path / "a.sqlite")
    with closing(sqlite3.connect(tmp_path / "a.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InputError, match="locked by another program"):
            SqliteSink(tmp_path / "a.sqlite", StreamFacts())
    archive(tmp_path / "a.sqlite")
    assert rows(tmp_path / "a.sqlite") == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("content", [b"%PDF-1.4 precious", b"SQLite format 3"])
def test_a_file_of_another_kind_is_left_alone_every_time(tmp_path, content):
    path = tmp_path / "report.pdf"
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(InputError, match="is not an archive"):
            SqliteSink(path, StreamFacts())
    assert path.read_bytes() == content


@pytest.mark.parametrize("path", ["/dev/null", "pipe"])
def test_what_is_no_file(tmp_path, path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is not a file"):
        require_archive_or_nothing(tmp_path / path, ours=False)


def test_another_programs_database_is_left_alone(tmp_path):
    with closing(sqlite3.connect(tmp_path / "a.sqlite")) as other:
        other.execute("CREATE TABLE mine (x)")
        other.commit()
    before = (tmp_path / "a.sqlite").read_bytes()
    with pytest.raises(InputError, match="the database of another program"):
        SqliteSink(tmp_path / "a.sqlite", StreamFacts())
    assert (tmp_path / "a.sqlite").read_bytes() == before


@pytest.mark.parametrize("made", [lambda path: path.touch(), lambda path: None])
def test_an_empty_file_becomes_an_archive(tmp_path, made):
    made(tmp_path / "a.sqlite")
    archive(tmp_path / "a.sqlite")
    assert rows(tmp_path / "a.sqlite") == [0, 1, 2]


def test_an_older_schema_is_brought_up_to_date_in_one_step_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.sqlite"
    archive(path)
    added = "ALTER TABLE verdicts ADD COLUMN part TEXT NOT NULL DEFAULT ''"
    now, then = schema.NEWEST, schema.NEWEST + 1
    monkeypatch.setattr("runtime.stream.archive.writer.NEWEST", then)
    monkeypatch.setattr("runtime.stream.archive.database.NEWEST", then)
    steps = [*schema.STEPS, (added, "CREATE TABLE verdicts (no)")]
    monkeypatch.setattr("runtime.stream.archive.writer.STEPS", steps)
    SqliteSink(path, StreamFacts()).close()
    assert rows(path, "PRAGMA user_version") == [now], "half a step must not stay"
    steps[-1] = (added,)
    notes: list[str] = []
    SqliteSink(path, StreamFacts(), report=notes.append).close()
    assert notes == [f"note: {path} was brought from schema {now} to {then}"]
    assert rows(path, "SELECT frame, part FROM verdicts") == [(0, ""), (1, ""), (2, "")]
    monkeypatch.undo()
    with pytest.raises(
        InputError, match=f"has schema {then}, but this edgecl reads archives up to"
    ):
        SqliteSink(path, StreamFacts())


@pytest.mark.parametrize("bad", [verdict(2**70), replace(verdict(0), number=2**70)])
def test_a_row_that_cannot_be_written_loses_itself_alone(tmp_path, bad):
    sink = SqliteSink(tmp_path / "a.sqlite", StreamFacts())
    for entry in (verdict(0), verdict(1), bad, verdict(2), verdict(3)):
        sink.emit(entry)
    sink.close()
    assert rows(tmp_path / "a.sqlite") == [0, 1, 2, 3]
    assert (sink.written, sink.lost) == (4, 1)
    assert "too large" in sink.problem


def test_its_name_on_the_command_line(tmp_path):
    facts = StreamFacts(run="R", lot="L")
    sink = open_sink("sqlite:a.sqlite", tmp_path, ("good", "bad"), stream=facts)
    sink.close()
    query = "SELECT id, lot, labels, folder FROM runs"
    found = rows(tmp_path / "a.sqlite", query)
    assert found == [("R", "L", '["good", "bad"]', str(tmp_path))]
    with pytest.raises(InputError, match="has no target"):
        open_sink("sqlite", tmp_path)
