"""Streams of a model for tiles: the worst tile in the verdict, and frames of every shape."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import edgecl
from runtime.artifact.bundle import MANIFEST, manifest_digest
from runtime.artifact.contract import InputContract, ModelContract
from runtime.artifact.tiling import Tiling
from runtime.session.base import Outputs
from runtime.session.opening import open_session
from runtime.stream.sinks import JsonLinesSink
from runtime.stream.verdict import WorstTile, read_verdicts
from tests.runtime.stream.test_pipeline import (
    PATIENCE,
    FakeCamera,
    FakeSession,
    ListSink,
    ended,
    stream,
)

TILING = Tiling((32, 48), combine="worst")


def verdicts_of(folder: Path, frames, **settings):
    """Judge frames with a bundle's model; its verdicts and the notes."""
    with open_session(folder, engine="onnxruntime", threads=1) as session:
        pipeline, sink = stream(FakeCamera(frames), session, **settings)
        snapshot = ended(pipeline)
        assert snapshot.balanced
    return sink.verdicts, pipeline.notes


def bright(height: int, width: int, *rest: int) -> np.ndarray:
    return np.full((height, width, *rest), 215, np.uint8)


def with_a_dark_tile(height: int = 96, width: int = 144) -> np.ndarray:
    image = bright(height, width)
    image[32:64, 96:144] = 30
    return image


def test_the_worst_tile_decides_and_is_named_in_frame_pixels(make_bundle):
    (verdict,), _ = verdicts_of(make_bundle(tiling=TILING), [with_a_dark_tile()])
    decision = verdict.decision
    assert (decision.status, decision.label) == ("reject", "dark")
    worst = decision.worst_tile
    assert worst is not None
    assert (worst.left, worst.top, worst.width, worst.height) == (96, 32, 48, 32)
    assert worst.label == "dark"
    assert worst.confidence == pytest.approx(decision.confidence, abs=1e-6)


def test_of_a_mean_the_worst_tile_is_named_too(make_bundle):
    (verdict,), _ = verdicts_of(
        make_bundle(tiling=replace(TILING, combine="mean")), [with_a_dark_tile()]
    )
    assert verdict.decision.label == "bright"  # eight of nine tiles
    assert verdict.decision.worst_tile is not None
    assert verdict.decision.worst_tile.label == "dark"


def test_places_are_at_the_frames_own_scale(make_bundle):
    tiling = replace(TILING, scale=0.5)
    (verdict,), _ = verdicts_of(
        make_bundle(tiling=tiling), [cv2.resize(with_a_dark_tile(), None, fx=2, fy=2)]
    )
    worst = verdict.decision.worst_tile
    assert worst is not None
    assert (worst.left, worst.top, worst.width, worst.height) == (192, 64, 96, 64)


def test_the_line_of_a_verdict_holds_the_worst_tile(make_bundle, tmp_path):
    sink = JsonLinesSink(tmp_path / "verdicts.jsonl")
    with open_session(make_bundle(tiling=TILING), engine="onnxruntime") as session:
        pipeline, _ = stream(FakeCamera([with_a_dark_tile()]), session, sink=sink)  # type: ignore[arg-type]
        ended(pipeline)
    sink.close()
    text = (tmp_path / "verdicts.jsonl").read_text()
    assert json.loads(text)["worst_tile"] == {
        "left": 96,
        "top": 32,
        "width": 48,
        "height": 32,
        "label": "dark",
        "confidence": pytest.approx(1, abs=0.01),
    }
    (line,) = read_verdicts(tmp_path / "verdicts.jsonl")
    assert isinstance(line.worst_tile, WorstTile)


def test_without_tiles_a_line_is_as_it_was(make_bundle, tmp_path):
    sink = JsonLinesSink(tmp_path / "verdicts.jsonl")
    with open_session(make_bundle(), engine="onnxruntime") as session:
        pipeline, _ = stream(FakeCamera([bright(64, 64)]), session, sink=sink)  # type: ignore[arg-type]
        ended(pipeline)
    sink.close()
    assert "worst_tile" not in (tmp_path / "verdicts.jsonl").read_text()


def test_frames_of_changing_size_depth_and_colour(make_bundle):
    deep = bright(96, 144).astype(np.uint16) << 8
    frames = [
        bright(96, 144),
        bright(200, 200),
        bright(32, 48),
        bright(9, 500),
        bright(96, 144, 3),
        bright(96, 144, 4),
        deep,
        bright(96, 16384),
        with_a_dark_tile(),
    ]
    odd = [np.zeros((4, 4, 5), np.uint8), np.zeros((0, 4), np.uint8)]
    verdicts, _ = verdicts_of(make_bundle(tiling=TILING), [*frames, *odd, *frames])
    expected = ["pass"] * 8 + ["reject"]
    assert [verdict.decision.status.value for verdict in verdicts] == [
        *expected,
        *["fault"] * 2,
        *expected,
    ]
    for verdict in verdicts[9:11]:
        assert verdict.decision.worst_tile is None


def test_frames_smaller_than_a_tile_are_noted_once(make_bundle):
    folder = make_bundle(tiling=TILING)
    verdicts, notes = verdicts_of(folder, [bright(96, 144), bright(20, 30), bright(10, 30)] * 2)
    assert [verdict.decision.status.value for verdict in verdicts] == ["pass"] * 6
    assert notes == [
        "frames of 20x30 are smaller than the tiles of 32x48 at the model's scale, and are "
        "continued by reflection"
    ]
    worst = verdicts[1].decision.worst_tile
    assert worst is not None
    assert (worst.left, worst.top, worst.width, worst.height) == (0, 0, 30, 20)


def test_large_frames_lose_no_lines_in_tiles(make_bundle):
    """The note that frames shrink is for frames that are stretched."""
    assert verdicts_of(make_bundle(tiling=TILING), [bright(400, 400)])[1] == []


class TileSession(FakeSession):
    """Answers as many tiles as it is given."""

    contract = ModelContract(InputContract(8, 8, tiling=Tiling((8, 8))), ("good", "bad"), ("good",))

    def _infer(self, batch):
        outputs = super()._infer(batch)
        repeated = np.repeat(outputs.probabilities, len(batch), axis=0)
        return Outputs(repeated, np.zeros((len(batch), 4), np.float32))


def test_a_frame_of_many_tiles_that_is_late_has_one_verdict_on_time():
    sink = ListSink()

    def work(call: int) -> None:
        if call == 3:  # amid the second frame's four batches
            sink.wait_for(2)

    frames = [np.zeros((8, 8), np.uint8), np.zeros((8, 320), np.uint8)]
    session = TileSession(work)
    pipeline, _ = stream(FakeCamera(frames), session, sink=sink, limits={"total": 200_000_000})
    snapshot = ended(pipeline)
    late = sink.verdicts[sink.numbers.index(1)].decision
    assert late.status == "late"
    assert (late.label, late.worst_tile) == ("", None)
    assert sorted(sink.numbers) == [0, 1]
    assert session.calls == 5
    assert snapshot.histograms["infer"].count == 2
    assert snapshot.balanced


def test_an_answer_that_comes_too_late_still_names_its_tile():
    from runtime.stream.budget import Budget
    from runtime.stream.capture.handover import Ticket
    from runtime.stream.judge import Judge
    from runtime.stream.ledger import Ledger
    from runtime.stream.rules import Rules

    session, sink = TileSession(), ListSink()
    ledger = Ledger(session.contract.labels)
    judge = Judge(session, ledger, [sink], Rules(Budget({"total": 1})))
    frame = FakeCamera([np.zeros((8, 20), np.uint8)]).read()
    assert frame is not None
    assert ledger.accept()
    judge.judge(Ticket(frame, deadline_ns=frame.start_ns + 1))
    (verdict,) = sink.verdicts
    assert (verdict.decision.status, verdict.decision.label) == ("late", "good")
    assert verdict.decision.worst_tile is not None


def test_a_session_sets_up_for_the_lines_size_and_for_another_that_stays():
    class Noting(TileSession):
        prepared: list[int]

        def prepare(self, tiles):
            self.prepared.append(tiles)

    session = Noting()
    session.prepared = []
    line, other, third = (np.zeros((8, 8 * count), np.uint8) for count in (3, 5, 7))
    frames = [line, line, other, line, third, third, third, third, line, line, line]
    pipeline, sink = stream(FakeCamera(frames), session)
    ended(pipeline)
    assert set(sink.statuses) == {"pass"}
    assert session.prepared == [3, 7, 3]


def test_a_model_that_fails_on_tiles_ends_no_stream():
    failed = threading.Event()

    def work(call: int) -> None:
        if call == 1:
            failed.set()
            raise RuntimeError("no memory")

    pipeline, sink = stream(FakeCamera([np.zeros((8, 100), np.uint8)] * 3), TileSession(work))
    ended(pipeline)
    assert failed.wait(PATIENCE)
    assert sink.statuses == ["fault", "pass", "pass"]


@pytest.mark.parametrize("schema", [1, 2])
def test_bundles_of_earlier_contracts_still_run(schema, make_bundle):
    folder = make_bundle()
    make_older(folder, schema)
    with edgecl.open_session(folder) as session:
        assert session.contract.input.tiling is None
    (verdict,), _ = verdicts_of(folder, [bright(96, 144)])
    assert verdict.decision.label == "bright"
    assert verdict.decision.worst_tile is None


def make_older(folder: Path, schema: int) -> None:
    """Turn a bundle into what an earlier edgecl wrote, in manifest and graph."""
    import onnx

    from runtime.artifact.bundle import file_digest

    path = folder / "model.fp32.onnx"
    model = onnx.load(path)
    contract = json.loads(model.metadata_props[0].value)
    contract["schema"] = schema
    del contract["input"]["tiling"]
    if schema == 1:
        del contract["input"]["bits"]
    onnx.helper.set_model_props(model, {"edgecl": json.dumps(contract)})
    onnx.save(model, path)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["contract"] = contract
    manifest["files"][path.name] = {"sha256": file_digest(path), "bytes": path.stat().st_size}
    manifest["digest"] = manifest_digest(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_a_stream_for_programs_tells_where(make_bundle, tmp_path):
    cv2.imwrite(str(tmp_path / "part.png"), with_a_dark_tile())
    with edgecl.Stream(str(tmp_path / "part.png"), make_bundle(tiling=TILING)) as judged:
        (verdict,) = list(judged)
    assert verdict.decision.worst_tile is not None
    assert verdict.decision.worst_tile.left == 96
