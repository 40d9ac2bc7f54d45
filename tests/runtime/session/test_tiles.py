"""Tiles in engines: any number of them, in batches that each engine takes, to one answer."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.artifact.contract import InputContract, ModelContract
from runtime.artifact.tiling import Tiling
from runtime.errors import FrameError, SessionLostError
from runtime.session.base import TILES_AT_ONCE, Outputs, Session
from runtime.session.fallback import FallbackSession
from runtime.session.opening import installed_engines, open_fastest, open_session
from runtime.session.tensorrt.session import TensorRtSession
from runtime.session.tiles import image_answer, infer_tiles
from tests.bindings.tensorrt_double import make_plan

TILING = Tiling((8, 12))
CONTRACT = ModelContract(
    InputContract(8, 12, tiling=TILING), ("dark", "middle", "bright"), ("bright",)
)


def tiles(count: int) -> np.ndarray:
    """uint8 count×1×8×12, each of another level."""
    levels = np.linspace(0, 255, count).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (count, 1, 8, 12)).copy()


class Limited(Session):
    """Takes batches within limits, and answers each tile by its level."""

    engine, version, device, precision = "fake", "1", "CPU", "fp32"
    contract = CONTRACT

    def __init__(self, smallest: int, largest: int, lost_after: int = 1000) -> None:
        self.limits = smallest, largest
        self.sizes: list[int] = []
        self._lost_after = lost_after

    @property
    def batches(self) -> tuple[int, int]:
        return self.limits

    def infer_timed(self, batch):
        if len(self.sizes) == self._lost_after:
            raise SessionLostError("gone")
        return self.infer(batch), {"upload": 1, "infer": len(batch)}

    def _infer(self, batch):
        assert self.limits[0] <= len(batch) <= self.limits[1]
        self.sizes.append(len(batch))
        level = batch.mean(axis=(1, 2, 3), dtype=np.float32) / 255
        probabilities = np.stack([1 - level, level / 2, level / 2], 1)
        return Outputs(probabilities, level[:, None])


@pytest.mark.parametrize(
    ("limits", "count", "sizes"),
    [
        ((1, 4), 9, [3, 3, 3]),
        ((1, 4), 10, [4, 3, 3]),
        ((1, 4), 4, [4]),
        ((1, 4), 1, [1]),
        ((1, 1), 3, [1, 1, 1]),
        ((2, 4), 5, [3, 2]),
        ((3, 3), 1, [3]),
        ((3, 3), 7, [3, 3, 3]),
    ],
)
def test_any_number_of_tiles_in_batches_that_the_session_takes(limits, count, sizes):
    session = Limited(*limits)
    outputs, steps = infer_tiles(session, tiles(count))
    assert session.sizes == sizes
    assert outputs.probabilities.shape == (count, 3)
    np.testing.assert_allclose(
        outputs.embedding[:, 0], tiles(count).mean(axis=(1, 2, 3)) / 255, atol=1e-6
    )
    assert steps == {"upload": len(sizes), "infer": sum(sizes)}


def test_a_session_that_is_lost_amid_a_frame_leaves_the_rest_to_the_next():
    said: list[str] = []
    first, second = Limited(1, 4, lost_after=1), Limited(1, 8)
    outputs, steps = infer_tiles(FallbackSession(first, second, said.append), tiles(9))
    assert (first.sizes, second.sizes) == ([3], [3, 3])
    np.testing.assert_array_equal(
        outputs.embedding, infer_tiles(Limited(1, 9), tiles(9))[0].embedding
    )
    assert steps == {"upload": 3, "infer": 9}
    assert len(said) == 1


def answer(rows, how="mean", passing=("bright",)):
    contract = ModelContract(
        InputContract(8, 12, tiling=Tiling((8, 12), combine=how)), CONTRACT.labels, passing
    )
    probabilities = np.array(rows, np.float32)
    embedding = np.arange(len(rows), dtype=np.float32)[:, None]
    return image_answer(Outputs(probabilities, embedding), contract)


def row(values) -> np.ndarray:
    return np.array(values, np.float32)


ROWS = [[0.1, 0.1, 0.8], [0.6, 0.2, 0.2], [0.2, 0.7, 0.1]]


def test_the_mean_of_the_tiles_with_the_worst_one_named():
    found = answer(ROWS)
    np.testing.assert_allclose(found.probabilities, [0.3, 1 / 3, 1.1 / 3], rtol=1e-6)
    assert found.embedding.tolist() == [1]
    assert found.worst == 2
    np.testing.assert_array_equal(found.worst_probabilities, row(ROWS[2]))
    assert found.probabilities.dtype == found.embedding.dtype == np.float32


def test_the_worst_tile_speaks_for_the_image():
    found = answer(ROWS, "worst")
    np.testing.assert_array_equal(found.probabilities, row(ROWS[2]))
    assert found.embedding.tolist() == [2]
    without = answer(ROWS, "worst", passing=())
    assert without.worst == 0  # every class is a defect, and the first tile is surest of one


def test_one_tile_is_the_image():
    for how in ("mean", "worst"):
        found = answer(ROWS[:1], how)
        np.testing.assert_array_equal(found.probabilities, row(ROWS[0]))
        assert (found.worst, found.embedding.tolist()) == (0, [0])


@pytest.mark.parametrize("how", ["mean", "worst"])
@pytest.mark.parametrize("column", [0, 2])
def test_a_tile_without_an_answer_is_not_hidden_by_the_others(how, column):
    rows = [list(row) for row in ROWS]
    rows[1][column] = float("nan")
    found = answer(rows, how)
    assert found.worst == 1
    assert not np.isfinite(found.probabilities).all()


def test_answers_for_other_labels_are_a_fault():
    with pytest.raises(FrameError, match="for tiles and 3 labels"):
        answer([[0.5, 0.5]])


def test_a_stretched_image_answers_for_itself():
    contract = ModelContract(InputContract(8, 12), CONTRACT.labels)
    found = image_answer(Outputs(row(ROWS[1])[None], row([4])[None]), contract)
    assert found.worst is None
    np.testing.assert_array_equal(found.probabilities, row(ROWS[1]))


@pytest.mark.parametrize("count", [1, 3, 8, TILES_AT_ONCE, TILES_AT_ONCE + 1, 3 * TILES_AT_ONCE])
def test_every_engine_gives_each_tile_the_answer_that_it_gives_it_alone(count, make_bundle):
    folder = make_bundle(tiling=TILING)
    for engine in installed_engines():
        with open_session(folder, engine=engine, threads=1) as session:
            alone = [session.infer(tile[None]) for tile in tiles(count)]
            together, steps = infer_tiles(session, tiles(count))
            session.prepare(count)
            prepared, _ = infer_tiles(session, tiles(count))
            assert list(steps) == ["infer"]
        for name in ("probabilities", "embedding"):
            expected = np.concatenate([getattr(outputs, name) for outputs in alone])
            for outputs in (together, prepared):
                np.testing.assert_allclose(getattr(outputs, name), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.skipif("openvino" not in installed_engines(), reason="OpenVINO is an extra")
def test_openvino_compiles_for_a_frames_own_batches_and_lets_go_of_earlier_ones(
    make_bundle, tmp_path
):
    from runtime.session.openvino import WHOLE, OpenVinoSession

    with open_session(make_bundle(tiling=TILING), engine="openvino") as session:
        assert isinstance(session, OpenVinoSession)
        for count, sizes in ((9, {9}), (30, {10}), (25, {8, 9}), (1, set())):
            session.prepare(count)
            assert set(session._fixed) == {1, WHOLE} | sizes
            assert len(infer_tiles(session, tiles(count))[0].probabilities) == count
    with open_session(make_bundle(tmp_path / "stretched.edgecl"), engine="openvino") as stretched:
        assert isinstance(stretched, OpenVinoSession)
        stretched.prepare(1)
        assert set(stretched._fixed) == {1}


def test_a_session_answers_a_batch_of_any_size(make_bundle):
    folder = make_bundle(tiling=TILING)
    for engine in installed_engines():
        with open_session(folder, engine=engine) as session:
            assert session.infer(tiles(21)).probabilities.shape == (21, 3)


def test_candidates_are_compared_per_tile(make_bundle):
    session, table = open_fastest(make_bundle(tiling=TILING, precisions=("fp32", "int8")))
    session.close()
    assert len(table) == 2 * len(installed_engines())
    assert min(candidate.median_ms for candidate in table) > 0


def test_tensorrt_runs_tiles_in_batches_of_its_profile(box):
    path = box.engine(make_plan(box.version, batches=[1, 2, 4]), contract=CONTRACT)
    with TensorRtSession(path, precision="fp16") as session:
        session.warm_up()
        outputs, steps = infer_tiles(session, tiles(9))
        assert outputs.probabilities.argmax(axis=1).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        # Three batches, each of the microseconds that a lone one takes in the double.
        assert steps == {"upload": 6000, "infer": 6000, "download": 9000}
        alone = np.concatenate([session.infer(tile[None]).probabilities for tile in tiles(9)])
        np.testing.assert_array_equal(outputs.probabilities, alone)
    assert box.driver.left == {}


def test_tensorrt_takes_nothing_more_once_it_has_run_a_frames_tiles(box):
    path = box.engine(make_plan(box.version, batches=[1, 2, 4]), contract=CONTRACT)
    with TensorRtSession(path, precision="fp16") as session:
        session.warm_up()
        infer_tiles(session, tiles(9))
        box.driver.calls.clear()
        infer_tiles(session, tiles(9))
        assert not {"cuMemAlloc", "cuMemHostAlloc", "context made"} & set(box.driver.calls)
