"""Tables of an archive, and the rule by which they change.

A new schema only adds: tables, or columns with a default. So an edgecl reads every archive up to
its own schema as it is, and whoever writes brings an older one up to date first, step by step in
one transaction. An archive of a newer schema is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

APPLICATION_ID = 0x65646763
"""SQLite's mark of the program that a file belongs to: "edgc"."""

STEPS: Sequence[Sequence[str]] = (
    (
        """\
CREATE TABLE runs (
    number      INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    started_at  TEXT NOT NULL,
    ended_at    TEXT,
    outcome     TEXT NOT NULL DEFAULT 'running',
    written     INTEGER,
    lost        INTEGER,
    camera      TEXT NOT NULL,
    model       TEXT NOT NULL,
    digest      TEXT NOT NULL,
    labels      TEXT NOT NULL,
    pass_labels TEXT NOT NULL,
    lot         TEXT NOT NULL,
    folder      TEXT NOT NULL
)""",
        """\
CREATE TABLE verdicts (
    run         INTEGER NOT NULL REFERENCES runs (number),
    camera      TEXT NOT NULL,
    frame       INTEGER NOT NULL,
    captured_at TEXT NOT NULL,
    status      TEXT NOT NULL,
    label       TEXT,
    confidence  REAL,
    reason      TEXT NOT NULL,
    late        INTEGER NOT NULL,
    answer      TEXT,
    name        TEXT NOT NULL,
    total_ns    INTEGER,
    infer_ns    INTEGER,
    worst_tile  TEXT,
    distance    REAL,
    PRIMARY KEY (run, camera, frame)
) WITHOUT ROWID""",
        "CREATE INDEX verdicts_by_time ON verdicts (captured_at)",
        """\
CREATE VIEW records AS
SELECT runs.id || CASE verdicts.camera WHEN '' THEN '' ELSE '/' || verdicts.camera END
           || '/' || verdicts.frame AS id,
       runs.id AS run_id, verdicts.camera, frame, captured_at, status, label, confidence, reason,
       late, answer, name, total_ns, infer_ns, worst_tile, distance, digest, lot
FROM verdicts JOIN runs ON runs.number = verdicts.run""",
    ),
    (
        "ALTER TABLE verdicts ADD COLUMN recipe TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE verdicts ADD COLUMN recipe_digest TEXT NOT NULL DEFAULT ''",
        """\
CREATE TABLE checks (
    number  INTEGER PRIMARY KEY,
    run     TEXT NOT NULL,
    made_at TEXT NOT NULL,
    passed  INTEGER NOT NULL,
    recipe  TEXT NOT NULL,
    digest  TEXT NOT NULL,
    report  TEXT NOT NULL,
    UNIQUE (run, made_at)
)""",
        "DROP VIEW records",
        """\
CREATE VIEW records AS
SELECT runs.id || CASE verdicts.camera WHEN '' THEN '' ELSE '/' || verdicts.camera END
           || '/' || verdicts.frame AS id,
       runs.id AS run_id, verdicts.camera, frame, captured_at, status, label, confidence, reason,
       late, answer, name, total_ns, infer_ns, worst_tile, distance,
       CASE recipe_digest WHEN '' THEN digest ELSE recipe_digest END AS digest, lot, recipe
FROM verdicts JOIN runs ON runs.number = verdicts.run""",
    ),
)
"""Statements that bring an archive from schema 0, an empty file, to 1, from 1 to 2 and so on."""

NEWEST = len(STEPS)
"""Schema that this edgecl writes."""
