"""`edgecl run --sink sqlite:FILE` and `edgecl history` as a user calls them."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecl.cli.shell import run
from runtime.artifact.bundle import manifest_beside
from runtime.stream.sinks.base import StreamFacts
from runtime.stream.sinks.sqlite import SqliteSink
from runtime.stream.verdict import Decision, Status, Verdict

HOUR_NS = 3_600_000_000_000
MIDNIGHT_NS = 1_795_737_600_000_000_000
"""2026-11-27 00:00 UTC."""


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    return tmp_path


def entry(hour: int, status: str, label: str = "good", **more) -> Verdict:
    decision = Decision(Status(status), label, 0.9, **more)
    return Verdict(hour, 0, MIDNIGHT_NS + hour * HOUR_NS, decision, {"total": 1})


def write(entries: list[Verdict], run_id: str = "R1", lot: str = "") -> None:
    sink = SqliteSink(Path("a.sqlite"), StreamFacts(run=run_id, lot=lot))
    for number, verdict in enumerate(entries):
        sink.emit(Verdict(number, 0, verdict.wall_ns, verdict.decision, verdict.steps))
    sink.close()
    assert sink.written == len(entries)


@pytest.fixture
def archived() -> None:
    write(
        [
            entry(1, "pass"),
            entry(6, "reject", "dent"),
            entry(13, "reject", "dent"),
            entry(13, "reject", "scratch"),
            entry(14, "pass", "dent", answer=Status.REJECT),
            entry(23, "fault", ""),
        ],
        lot="L1",
    )
    write([entry(29, "pass"), entry(30, "reject", "", late=True)], "R2")


def history(capsys, *arguments: str) -> dict[str, Any]:
    assert run(["history", "a.sqlite", *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def refusal(capsys, *arguments: str) -> str:
    assert run(["history", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return str(line)


def groups(found: dict[str, Any]) -> dict[str, int]:
    return {group["name"]: group["verdicts"] for group in found["groups"]}


def test_the_whole(archived, capsys):
    found = history(capsys)
    total = found["total"]
    assert (found["by"], found["runs"], total["verdicts"]) == ("day", 2, 8)
    statuses = {status: count for status, count in total["statuses"].items() if count}
    assert statuses == {"pass": 3, "reject": 4, "fault": 1}
    assert total["labels"]["dent"] == {"reject": 2, "pass": 1}
    assert total["labels"][""] == {"fault": 1, "reject": 1}
    assert (total["yield_share"], total["late"], total["held_back"]) == (3 / 8, 1, 1)
    dent, scratch = total["defects"]
    assert (dent["label"], dent["count"], dent["share"]) == ("dent", 2, 2 / 3)
    assert (scratch["label"], scratch["cumulative"]) == ("scratch", 1.0)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {"2026-11-27": 6, "2026-11-28": 2}),
        (["--by", "lot"], {"L1": 6, "": 2}),
        (["--by", "run"], {"R1": 6, "R2": 2}),
        (
            ["--shifts", "06:00,14:00,22:00"],
            {
                "2026-11-26 22:00-06:00": 1,
                "2026-11-27 06:00-14:00": 3,
                "2026-11-27 14:00-22:00": 1,
                "2026-11-27 22:00-06:00": 2,
                "2026-11-28 06:00-14:00": 1,
            },
        ),
        (["--since", "2026-11-28"], {"2026-11-28": 2}),
        (["--until", "2026-11-27"], {"2026-11-27": 6}),
        (["--since", "2026-11-27T06:00", "--until", "2026-11-27T13:00"], {"2026-11-27": 1}),
        (["--since", "2027-01-01"], {}),
    ],
)
def test_groups(archived, capsys, arguments, expected):
    found = history(capsys, *arguments)
    assert groups(found) == expected
    assert found["total"]["verdicts"] == sum(expected.values())


def test_days_are_those_of_the_local_clock(archived, capsys, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    assert groups(history(capsys)) == {"2026-11-26": 1, "2026-11-27": 5, "2026-11-28": 2}


def test_the_table_on_the_terminal(archived, capsys):
    assert run(["history", "a.sqlite", "--by", "lot"]) == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()]
    assert ["lot", "verdicts", "pass", "reject", "fault", "yield", "most", "rejected"] in rows
    assert ["L1", "6", "2", "3", "1", "33.33%", "dent", "2,", "scratch", "1"] in rows
    assert ["dent", "1", "2", "0", "66.7%", "66.7%"] in rows
    assert "8 verdicts of 2 runs in a.sqlite" in out
    assert run(["history", "a.sqlite", "--since", "2027-01-01"]) == 0
    assert capsys.readouterr().out == "no verdicts in that time in a.sqlite\n"


def test_the_counts_as_csv(archived, capsys):
    Path("counts.csv").write_text("old")
    assert run(["history", "a.sqlite", "--by", "run", "--csv", "counts.csv"]) == 0
    with open("counts.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {"run": "R1", "status": "reject", "label": "dent", "count": "2"} in rows
    assert sum(int(row["count"]) for row in rows) == 8


def test_what_is_wrong_is_one_line(archived, capsys):
    assert "none.sqlite cannot be read" in refusal(capsys, "none.sqlite")
    assert "cannot be read" in refusal(capsys, ".")
    Path("empty.sqlite").touch()
    assert "empty.sqlite is empty" in refusal(capsys, "empty.sqlite")
    Path("text.sqlite").write_text("a text of some length")
    assert "is not an archive" in refusal(capsys, "text.sqlite")
    with closing(sqlite3.connect("other.sqlite")) as other:
        other.execute("CREATE TABLE mine (x)")
    assert "the database of another program" in refusal(capsys, "other.sqlite")
    with closing(sqlite3.connect("a.sqlite")) as newer:
        newer.execute("PRAGMA user_version = 99")
    assert "has schema 99, but this edgecl reads" in refusal(capsys, "a.sqlite")


def test_a_damaged_archive_is_one_line(archived, capsys):
    with open("a.sqlite", "r+b") as stream:
        stream.seek(4096)
        stream.write(os.urandom(4096 * 3))
    assert "a.sqlite is damaged" in refusal(capsys, "a.sqlite")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--since", "yesterday"], "--since 'yesterday' is not a date or a time"),
        (["--until", "2026-02-30"], "--until '2026-02-30' is not a date or a time"),
        (["--since", "2026-11-28", "--until", "2026-11-27"], "is not after --since 2026-11-28"),
        (["--shifts", "6-14"], "--shifts '6-14' is not a time of day"),
        (["--by", "shift"], "--by shift needs the times"),
        (["--by", "lot", "--shifts", "06:00"], "--shifts only affects --by shift"),
        (["--csv", "."], "--csv . is a folder"),
        (["--csv", "a.sqlite"], "is the archive itself"),
        (["--csv", "a.sqlite/x.csv"], "cannot write a.sqlite/x.csv"),
    ],
)
def test_wrong_options_are_one_line(archived, capsys, arguments, problem):
    assert problem in refusal(capsys, "a.sqlite", *arguments)


def test_an_archive_is_read_while_a_stream_writes(archived, capsys):
    sink = SqliteSink(Path("a.sqlite"), StreamFacts())
    try:
        assert history(capsys)["total"]["verdicts"] == 8
    finally:
        sink.close()


def test_streams_into_one_archive_count_as_their_journals_do(make_bundle, capsys):
    bundle = make_bundle(Path("line.edgecl").absolute())
    for label, level in {"dark": 40, "middle": 128, "bright": 215}.items():
        for number in range(3):
            Path("parts", label).mkdir(parents=True, exist_ok=True)
            image = np.full((40 + number, 60), level, np.uint8)
            cv2.imwrite(f"parts/{label}/{number}.png", image)
    Path("parts/bright/torn.png").write_bytes(b"torn")
    archive = Path("archive/a.sqlite").absolute()
    for lot in ("L1", "L2"):
        command = ["run", "--model", "line.edgecl", "--engine", "onnxruntime", "--camera", "parts"]
        more = ["--sink", f"sqlite:{archive}", "--lot", lot, "--out", lot]
        assert run([*command, *more]) == 0, capsys.readouterr().err
        # As if its process had been killed: the next one finds it.
        with closing(sqlite3.connect(archive)) as connection:
            connection.execute("UPDATE runs SET outcome = 'running' WHERE lot = 'L1'")
            connection.commit()
    told = "was broken off; its 10 archived verdicts are whole"
    assert told in capsys.readouterr().err
    notes = json.loads(Path("L2/summary.json").read_text(encoding="utf-8"))["notes"]
    assert any(told in note for note in notes)
    assert run(["history", str(archive), "--by", "lot", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [group["name"] for group in found["groups"]] == ["L1", "L2"]
    for group in found["groups"]:
        lines = [
            json.loads(line)
            for line in Path(group["name"], "verdicts.jsonl").read_text().splitlines()
        ]
        statuses = {status: count for status, count in group["statuses"].items() if count}
        assert statuses == Counter(line["status"] for line in lines)
        counted = Counter((line["label"] or "", line["status"]) for line in lines)
        assert {
            (label, status): count
            for label, counts in group["labels"].items()
            for status, count in counts.items()
        } == counted
        assert group["verdicts"] == len(lines) == 10
    with closing(sqlite3.connect(archive)) as connection:
        (row, _) = connection.execute(
            "SELECT digest, pass_labels, labels, outcome, folder FROM runs"
        ).fetchall()
    manifest = manifest_beside(bundle)
    assert manifest is not None
    labels, folder = '["dark", "middle", "bright"]', str(Path("L1").absolute())
    assert row == (manifest.digest, '["bright"]', labels, "running", folder)


def test_several_cameras_write_into_one_run(make_bundle, capsys):
    make_bundle(Path("line.edgecl").absolute())
    for name, level in {"left": 40, "right": 215}.items():
        Path(name).mkdir()
        for number in range(3):
            cv2.imwrite(f"{name}/{number}.png", np.full((40, 60), level + number, np.uint8))
    archive = Path("a.sqlite").absolute()
    command = ["run", "--model", "line.edgecl", "--engine", "onnxruntime"]
    cameras = ["--camera", "left=left", "--camera", "right=right"]
    assert run([*command, *cameras, "--sink", f"sqlite:{archive}"]) == 0, capsys.readouterr().err
    with closing(sqlite3.connect(archive)) as connection:
        rows = connection.execute(
            "SELECT camera, frame, status FROM records ORDER BY camera, frame"
        ).fetchall()
        (ids,) = connection.execute("SELECT count(DISTINCT id) FROM records").fetchone()
    left = [("left", frame, "reject") for frame in range(3)]
    assert rows == left + [("right", frame, "pass") for frame in range(3)]
    assert ids == 6


@pytest.mark.parametrize("lot", ["", " ", "a\nb", "x" * 201])
def test_lots_that_are_none(capsys, lot):
    command = ["run", "--camera", "demo", "--sink", "sqlite:a", "--lot", lot, "--print-config"]
    assert run(command) == 2
    assert "--lot" in capsys.readouterr().err


def test_a_lot_without_a_sink_is_refused(capsys):
    assert run(["run", "--camera", "demo", "--lot", "L1"]) == 2
    assert "--lot is kept by sinks, but there is none" in capsys.readouterr().err
