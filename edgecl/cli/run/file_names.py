"""Names of what a stream writes, below the folder of its output."""

from __future__ import annotations

STREAMS = "streams"
SPOOL = f"{STREAMS}/spool"
VERDICTS = "verdicts.jsonl"
LATE = "late.jsonl"
PARTS = "parts.jsonl"
