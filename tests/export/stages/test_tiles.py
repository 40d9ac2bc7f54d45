"""Export of a network for tiles: judged by images, as the line combines them."""

from __future__ import annotations

import base64
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

import edgecl
from calibration.record import record_of_bundle
from export.gate.answers import trained_answers
from export.gate.decision import Limits
from export.job import DataPart, Int8Choices
from export.pipeline import export_bundle
from export.stages.escapes import with_thumbnails
from export.stages.proving import Reference
from runtime.artifact.bundle import load_bundle, scene_beside
from runtime.artifact.contract import InputContract, ModelContract
from runtime.artifact.tiling import Tiling
from runtime.health.scene import scene_of
from runtime.image.tiles import combine_images
from runtime.session.golden import read_golden
from runtime.session.opening import installed_engines, open_session
from runtime.session.tiles import image_answer, infer_tiles
from tests.export.tiled import CONTRACT, LABELS, TILING, Levels, frames, job_of_tiles, part_of
from tests.made_once import spared_exports

pytestmark = pytest.mark.usefixtures("graphs_made_once")

SIZES = ((96, 144), (64, 96), (32, 48))


def silent(*_: object) -> None:
    pass


@pytest.fixture(scope="module")
def bundle(made_once) -> Path:
    def export(path: Path) -> None:
        with spared_exports(made_once):
            export_bundle(job_of_tiles(("fp16", "int8")), path, silent)

    path: Path = made_once("tiles.edgecl", export)
    return path


def test_every_precision_passes_the_gate_by_images(bundle):
    manifest = load_bundle(bundle).manifest
    assert set(manifest.precisions) == {"fp32", "fp16", "int8"}
    assert not manifest.refused
    assert manifest.gate.validation_images == 30
    for measured in manifest.gate.comparisons.values():
        assert measured.images == 30
        assert measured.accuracy == 1
        assert (measured.escapes, measured.caught) == (0, 20)
    for entry in manifest.precisions.values():
        assert entry.test_accuracy == 1


def test_the_manifest_tells_the_light_and_focus_of_what_was_trained_on(bundle):
    scene = load_bundle(bundle).manifest.scene
    assert scene == scene_of(job_of_tiles(()).candidates.images)
    assert scene is not None
    assert scene == scene_beside(bundle) == scene_beside(bundle / "model.fp32.onnx")


def test_the_contract_and_each_graph_say_how_frames_are_cut(bundle):
    loaded = load_bundle(bundle)
    assert loaded.contract == CONTRACT
    assert loaded.manifest.contract.input.tiling is not None
    for path in bundle.glob("*.onnx"):
        metadata = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
        assert ModelContract.from_metadata(metadata, where=path.name) == CONTRACT


def test_golden_images_are_tiles_that_every_engine_repeats(bundle):
    golden = read_golden(load_bundle(bundle))
    assert golden is not None
    assert golden.images.shape[1:] == (1, 32, 48)
    assert set(golden.probabilities.argmax(axis=1)) == {0, 1, 2}
    for engine in installed_engines():
        for precision in ("fp32", "int8"):
            open_session(bundle, precision, engine=engine).close()


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_line_gives_the_images_answers_that_the_gate_compared(precision, bundle):
    part = part_of(frames(30, 1, SIZES), "validation")
    trained = trained_answers(Levels().eval(), part.images).probabilities
    expected = combine_images(trained, part.tile_counts, "worst", (0,))
    tolerance = 1e-5 if precision == "fp32" else 0.1
    for engine in installed_engines():
        with open_session(bundle, precision, engine=engine) as session:
            for row in range(len(part)):
                tiles = part.take(np.array([row])).images[:, None]
                answer = image_answer(infer_tiles(session, tiles)[0], session.contract)
                np.testing.assert_allclose(answer.probabilities, expected[row], atol=tolerance)


def test_a_stream_finds_the_defect_and_its_tile(bundle, tmp_path):
    for number, image in enumerate(frames(9, 5, SIZES)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
    with edgecl.Stream(str(tmp_path), bundle) as stream:
        verdicts = list(stream)
    assert [verdict.decision.label for verdict in verdicts] == list(LABELS) * 3
    for verdict in verdicts:
        worst = verdict.decision.worst_tile
        assert worst is not None
        frame = cv2.imread(str(tmp_path / verdict.name), cv2.IMREAD_GRAYSCALE)
        assert frame is not None
        seen = frame[worst.top : worst.top + worst.height, worst.left : worst.left + worst.width]
        level = (0.8, 0.2, 0.5)[LABELS.index(verdict.decision.label)]
        assert seen.mean() / 255 == pytest.approx(level, abs=0.02)


def test_a_calibration_on_tiles_counts_images_and_is_repeated_to_the_bit(bundle, tmp_path):
    record = record_of_bundle(bundle)
    assert len(record.images) == 32
    repeated = tmp_path / "again.edgecl"
    choices = Int8Choices(algorithm="minmax", repeated=record)
    export_bundle(job_of_tiles(("int8",), int8=choices, seed=7), repeated, silent)
    again = record_of_bundle(repeated)
    assert again.ranges == record.ranges
    assert again.observation == record.observation


@pytest.mark.parametrize("selection", ["coverage", "random"])
def test_other_selections_and_searches_take_tiles(selection, tmp_path):
    choices = Int8Choices(
        selection=selection, images=16, curve=True, sensitivity=True, algorithm="auto"
    )
    outcome = export_bundle(job_of_tiles(("int8",), int8=choices), tmp_path / "b.edgecl", silent)
    assert "int8" in outcome.shipped
    assert outcome.details["algorithms"]
    assert outcome.details["curve"][-1]["images"] == 48
    for entry in outcome.details["sensitivity"]:
        assert entry["accuracy"] == 1


@cache
def reference(how: str = "worst") -> Reference:
    contract = replace(CONTRACT, input=InputContract(32, 48, tiling=replace(TILING, combine=how)))
    part = part_of(frames(6, 1, SIZES), "validation", contract)
    answers = trained_answers(Levels().eval(), part.images).probabilities
    return Reference(answers, part, contract, Limits())


def turned(tile: int, probabilities: list[float]) -> np.ndarray:
    """The reference's answers, with another for one tile."""
    answers = reference().answers.copy()
    answers[tile] = probabilities
    return answers


def test_an_image_escapes_where_its_worst_tile_does():
    """Image 1, a pit, has four tiles after the nine of image 0."""
    own = reference()
    (decisive,) = 9 + np.flatnonzero(own.answers[9:13, 1] > 0.5)
    escaped = own.against(turned(int(decisive), [0.9, 0.05, 0.05]))
    assert (escaped.escapes, escaped.caught, escaped.images) == (1, 4, 6)
    assert escaped.escaped[0].row == 1
    harmless = 9 + (int(decisive) - 9 + 1) % 4
    unchanged = own.against(turned(harmless, [0.7, 0.2, 0.1]))
    assert (unchanged.escapes, unchanged.max_abs_diff) == (0, 0)


def test_a_tile_that_is_called_a_defect_rejects_a_clean_image():
    lost = reference().against(turned(3, [0.1, 0.8, 0.1]))
    assert (lost.lost, lost.classes[0].lost) == (1, 1)


def test_a_tile_without_an_answer_is_no_answer_for_its_image():
    found = reference().against(turned(4, [np.nan, 0.5, 0.5]))
    assert (found.lost, found.max_abs_diff) == (1, 1)


def test_of_a_mean_all_tiles_count():
    own = reference("mean")
    assert own.probabilities.shape == (6, 3)
    np.testing.assert_allclose(own.probabilities[1], own.answers[9:13].mean(axis=0), rtol=1e-6)


def test_the_page_shows_the_tile_in_which_the_defect_was_seen():
    own = reference()
    (decisive,) = 9 + np.flatnonzero(own.answers[9:13, 1] > 0.5)
    comparison = own.against(turned(int(decisive), [0.9, 0.05, 0.05]))
    (entry,) = with_thumbnails(comparison, own)
    assert entry["file"] == "validation/1.png"
    data = np.frombuffer(base64.b64decode(entry["image"]), np.uint8)
    shown = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    assert shown is not None
    assert shown.mean() / 255 == pytest.approx(0.2, abs=0.02)


def test_parts_take_the_tiles_of_their_images():
    part = part_of(frames(6, 1, SIZES), "part")
    assert part.tile_counts.tolist() == [9, 4, 1, 9, 4, 1]
    rows = np.array([4, 2, 0])
    taken = part.take(rows)
    assert taken.tile_counts.tolist() == [4, 1, 9]
    assert list(taken.files) == ["part/4.png", "part/2.png", "part/0.png"]
    expected = np.concatenate([part.images[23:27], part.images[13:14], part.images[:9]])
    np.testing.assert_array_equal(taken.images, expected)


def test_one_tile_of_an_image_is_drawn_by_its_hash():
    part = part_of(frames(60, 1, ((96, 144),)), "part")
    drawn = part.one_tile_each()
    assert (len(drawn), len(drawn.images), drawn.counts) == (60, 60, None)
    places = [
        next(place for place in range(9) if (part.images[9 * row + place] == image).all())
        for row, image in enumerate(drawn.images)
    ]
    assert set(places) == set(range(9))
    rows = np.array([59, 3, 17])
    np.testing.assert_array_equal(part.take(rows).one_tile_each().images, drawn.images[rows])


def test_stretched_images_are_one_tile_each():
    part = DataPart(np.zeros((2, 4, 4), np.uint8), np.zeros(2, np.int64), ["a", "b"], ["1", "2"])
    assert part.tile_counts.tolist() == [1, 1]
    assert part.one_tile_each() is part
    assert part.take(np.array([1])).counts is None


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([1, 2], "2 tiles, but 2 images of 3"),
        ([2], "different lengths"),
        ([0, 2], "2 tiles, but"),
    ],
)
def test_tiles_that_belong_to_no_image_are_refused(counts, words):
    with pytest.raises(ValueError, match=words):
        DataPart(
            np.zeros((2, 4, 4), np.uint8),
            np.zeros(2, np.int64),
            ["a", "b"],
            ["1", "2"],
            np.array(counts),
        )


def test_tiles_for_a_contract_that_stretches_are_refused():
    job = job_of_tiles()
    with pytest.raises(ValueError, match="stretches"):
        replace(job, contract=replace(CONTRACT, input=InputContract(32, 48)))


def test_whole_images_of_one_tile_export_as_stretched_ones_do(tmp_path):
    """Frames of the tile's size are one tile each, and one stretched image each."""
    tiled = job_of_tiles(("int8",), sizes=((32, 48),))
    stretched = job_of_tiles(
        ("int8",), sizes=((32, 48),), contract=replace(CONTRACT, input=InputContract(32, 48))
    )
    found = [
        export_bundle(job, tmp_path / f"{name}.edgecl", silent)
        for name, job in (("tiles", tiled), ("stretched", stretched))
    ]
    assert found[0].comparisons == found[1].comparisons
    assert Tiling((32, 48)).steps == (32, 48)
