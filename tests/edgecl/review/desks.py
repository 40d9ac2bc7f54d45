"""A folder of collected images, and the review page of it on loopback."""

from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edgecl.review.decisions.journal import ReviewJournal
from edgecl.review.desk import Desk, lay_out
from edgecl.review.office import ReviewOffice
from edgecl.review.serving import serving_review
from runtime.serving.opening import listen_for_pages

TOKEN = "0123456789abcdef"


def silent(stage: str, done: int, total: int, text: str) -> None:
    """Report nothing."""


def collect(folder: Path, count: int = 4, *, records: bool = True, second: float = 10.0) -> Path:
    """Write images as `edgecl run --sink images:` does, `second` seconds apart."""
    day = folder / "2026-11-27"
    day.mkdir(parents=True)
    rng = np.random.default_rng(3)
    for number in range(count):
        stem = f"20261127T{number:09d}Z-abcdef12-{number:08d}"
        image = rng.integers(0, 255, (40, 60), dtype=np.uint8)
        assert cv2.imwrite(str(day / f"{stem}.png"), image)
        if records:
            seconds = number * second
            moment = f"{int(seconds // 60):02d}:{seconds % 60:06.3f}"
            verdict = {
                "schema": 1,
                "frame": number,
                "captured_at": f"2026-11-27T10:{moment}Z",
                "status": "reject",
                "label": "scratch",
                "confidence": 0.5 + number / 100,
            }
            record = {"schema": 1, "id": f"run/{number}", "event": "", "policy": "reject"}
            (day / f"{stem}.json").write_text(json.dumps({**record, "verdict": verdict}))
    return folder


def digests(folder: Path) -> list[str]:
    """SHA-256 of each image, in the folder's order."""
    paths = sorted(folder.rglob("*.png"))
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def decision(image: str, label: str = "scratch", *, number: int = 0, **changes) -> dict[str, Any]:
    choice = "label" if label else "dont-know"
    return {
        "id": f"decision-{number}-{image[:12]}",
        "reviewer": "Anna",
        "image": image,
        "choice": choice,
        "label": label,
        **changes,
    }


@dataclass(frozen=True)
class ReviewedDesk:
    """A page that is served."""

    port: int
    office: ReviewOffice
    folder: Path

    def get(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str):
        """(status, headers in small letters, body) of a request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            found = [(name.lower(), value) for name, value in answer.getheaders()]
            return answer.status, dict(found), answer.read()
        finally:
            connection.close()

    def decide(self, sent: object, **headers: str):
        """(status, body) of a decision."""
        body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        status, _, answer = self.get("/review/decide", "POST", body, **headers)
        return status, answer.decode()

    def state(self) -> dict[str, Any]:
        return dict(json.loads(self.get("/review/state")[2]))


@contextmanager
def reviewed(
    folder: Path,
    *,
    token: Path | None = None,
    desk: Desk | None = None,
    export: Callable[[], str] = lambda: "exported",
    port: int = 0,
) -> Iterator[ReviewedDesk]:
    """Serve a folder for review."""
    place = listen_for_pages(f"127.0.0.1:{port}", lambda _: None, token_file=token)
    port = place.socket.getsockname()[1]
    journal = ReviewJournal(folder)
    try:
        office = ReviewOffice(desk or lay_out(folder, silent, labels=("scratch", "dent")), journal)
        with serving_review(place, office, export):
            yield ReviewedDesk(port, office, folder)
    finally:
        journal.close()
