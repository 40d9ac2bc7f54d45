"""Heat maps of rejects, computed and written in a thread that nobody waits for."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from pathlib import Path

import cv2
import msgspec

from runtime.artifact.contract import ModelContract
from runtime.camera.base import Frame
from runtime.errors import InputError
from runtime.files.atomic import replacing
from runtime.image.heat_map import evidence, laid_together, overlay, peak, windows
from runtime.image.preprocess import Preprocessor
from runtime.image.view import FrameView
from runtime.realtime import give_way
from runtime.session.activation import ActivationSession
from runtime.stream.heat_maps.document import HeatMapAccount, HeatMapLine
from runtime.stream.verdict import Verdict

LOG = logging.getLogger("edgecl.heat_maps")

FOLDER, INDEX = "heat_maps", "heat_maps.jsonl"

WAITING = 4
"""Frames that may wait for their heat map; each holds its pixels."""

NEWEST = 24
"""Images that are told to whoever looks while the stream runs."""

CLOSE_S = 3.0
"""Time that the end of a stream waits for a map that does not get ready, in seconds."""

_QUALITY = 90


class HeatMapWriter:
    """Writes an image of each reject under its heat map, and a line for it in an index.

    `take` returns at once. Where more rejects come than maps can be made, the oldest that wait are
    left out and counted. The newest `most` images are kept.

    Args:
        session: computes the maps; it is used from the writer's thread alone.
        contract: the session's, with the pass labels that hold on this line.
        folder: the stream's.
        most: images that are kept.
        bits: how many bits of 16-bit frames are used, in place of the contract's.
        view: what of a frame the model sees, in place of the contract's; images show that part.
        waiting: frames that may wait.

    Raises:
        InputError: heat maps of an earlier stream are there.
    """

    def __init__(
        self,
        session: ActivationSession,
        contract: ModelContract,
        folder: Path,
        most: int,
        *,
        bits: int | None = None,
        view: FrameView | None = None,
        waiting: int = WAITING,
    ) -> None:
        self._session = session
        self._contract = contract
        self._folder = folder
        self._most = most
        self._room = waiting
        bits = contract.input.bits if bits is None else bits
        view = FrameView.of(contract.input) if view is None else view
        self._preprocess = Preprocessor(contract.input, bits=bits, view=view)
        self._roi = view.roi
        self._written = self._left_out = self._failed = 0
        self._problem = ""
        self._kept: deque[Path] = deque()
        self._waiting: deque[tuple[Frame, Verdict]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        _require_none(folder)
        self._thread = threading.Thread(target=self._run, name="heat maps", daemon=True)
        self._thread.start()

    def take(self, frame: Frame, verdict: Verdict) -> None:
        """Leave a rejected frame for the thread. One without pixels or label is passed over."""
        if frame.pixels is None or not verdict.decision.label:
            return
        with self._changed:
            if self._closing:
                return
            if len(self._waiting) >= self._room:
                self._waiting.popleft()
                self._left_out += 1
            self._waiting.append((frame, verdict))
            self._changed.notify()

    def close(self) -> None:
        """Finish what waits, as long as maps get ready. Closing twice is fine."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        done, deadline = -1, time.monotonic() + CLOSE_S
        while self._thread.is_alive() and time.monotonic() < deadline:
            self._thread.join(0.05)
            if done != self._written + self._failed:
                done, deadline = self._written + self._failed, time.monotonic() + CLOSE_S
        with self._changed:
            self._left_out += len(self._waiting)
            self._waiting.clear()

    @property
    def newest(self) -> dict[int, Path]:
        """Return the images that are kept, by the frame's number."""
        return {int(path.stem): path for path in list(self._kept)[-NEWEST:]}

    def account(self) -> HeatMapAccount:
        """Return what was written, and what was not."""
        return HeatMapAccount(
            folder=str(self._folder / FOLDER),
            written=self._written,
            kept=len(self._kept),
            left_out=self._left_out,
            failed=self._failed,
            problem=self._problem or None,
        )

    def _run(self) -> None:
        give_way()
        while (taken := self._next()) is not None:
            try:
                self._write(*taken)
            except Exception as error:  # a map that fails must not end the next ones
                self._failed += 1
                problem = f"{type(error).__name__}: {error}".splitlines()[0][:300]
                if problem != self._problem:  # a full disk would fill the log
                    LOG.warning("heat maps: %s", problem)
                self._problem = problem

    def _next(self) -> tuple[Frame, Verdict] | None:
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            return self._waiting.popleft() if self._waiting else None

    def _write(self, frame: Frame, verdict: Verdict) -> None:
        assert frame.pixels is not None
        contract, decision = self._contract, verdict.decision
        tiles = self._preprocess.prepare(frame.pixels, bits=frame.bits)
        _, activation = self._session.run(tiles)
        size = self._preprocess.seen
        heat = laid_together(
            evidence(activation, contract.labels.index(decision.label), contract.passing),
            windows(size, contract.input),
            self._session.cells,
            contract.input.shape,
            size,
        )
        image = overlay(self._preprocess.pixels, heat)
        path = self._folder / FOLDER / f"{verdict.number:08d}.jpg"
        done, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
        if not done:
            raise ValueError(f"no JPEG of {image.shape}")
        with replacing(path) as temporary:
            temporary.write_bytes(data.tobytes())
        self._kept.append(path)
        line = verdict.line()
        left, top = peak(heat, size)
        roi = self._roi
        entry = HeatMapLine(
            frame=line.frame,
            captured_at=line.captured_at,
            label=decision.label,
            confidence=line.confidence or 0.0,
            file=f"{FOLDER}/{path.name}",
            left=left + (roi.left if roi else 0),
            top=top + (roi.top if roi else 0),
        )
        with open(self._folder / INDEX, "ab") as index:
            index.write(msgspec.json.encode(entry) + b"\n")
        self._written += 1
        while len(self._kept) > self._most:
            self._kept.popleft().unlink(missing_ok=True)


def _require_none(folder: Path) -> None:
    for path in (folder / FOLDER, folder / INDEX):
        if path.exists():
            raise InputError(
                f"{path} already exists, as from an earlier stream",
                hint="choose another folder with --out, or move it",
            )
