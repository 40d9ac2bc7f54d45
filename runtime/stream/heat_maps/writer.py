"""Heat maps of rejects, computed and written in a thread that nobody waits for."""

from __future__ import annotations

from pathlib import Path

import msgspec

from runtime.artifact.contract import ModelContract
from runtime.camera.base import Frame
from runtime.errors import InputError
from runtime.files.atomic import replacing
from runtime.files.newest import NewestFiles
from runtime.image.encode import jpeg_of
from runtime.image.heat_map import evidence, laid_together, overlay, peak, windows
from runtime.image.preprocess import Preprocessor
from runtime.image.view import FrameView
from runtime.session.activation import ActivationSession
from runtime.stream.heat_maps.document import HeatMapAccount, HeatMapLine
from runtime.stream.sinks.background import BackgroundWriter
from runtime.stream.verdict import Verdict

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
        bits = contract.input.bits if bits is None else bits
        view = FrameView.of(contract.input) if view is None else view
        self._preprocess = Preprocessor(contract.input, bits=bits, view=view)
        self._roi = view.roi
        self._kept = NewestFiles(most)
        _require_none(folder)
        self._writer = BackgroundWriter("heat maps", self._write, most=waiting, close_s=CLOSE_S)

    def take(self, frame: Frame, verdict: Verdict) -> None:
        """Leave a rejected frame for the thread. One without pixels or label is passed over."""
        if frame.pixels is None or not verdict.decision.label:
            return
        self._writer.put((frame, verdict))

    def close(self) -> None:
        """Finish what waits, as long as maps get ready. Closing twice is fine."""
        self._writer.close()

    @property
    def newest(self) -> dict[int, Path]:
        """Return the images that are kept, by the frame's number."""
        return {int(path.stem): path for path in self._kept.last(NEWEST)}

    def account(self) -> HeatMapAccount:
        """Return what was written, and what was not."""
        return HeatMapAccount(
            folder=str(self._folder / FOLDER),
            written=self._writer.written,
            kept=len(self._kept),
            left_out=self._writer.left_out,
            failed=self._writer.failed,
            problem=self._writer.problem or None,
        )

    def _write(self, taken: tuple[Frame, Verdict]) -> None:
        frame, verdict = taken
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
        self._kept.make_room()
        data = jpeg_of(image, _QUALITY)
        with replacing(path) as temporary:
            temporary.write_bytes(data)
        self._kept.add((path,))
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


def _require_none(folder: Path) -> None:
    for path in (folder / FOLDER, folder / INDEX):
        if path.exists():
            raise InputError(
                f"{path} already exists, as from an earlier stream",
                hint="choose another folder with --out, or move it",
            )
