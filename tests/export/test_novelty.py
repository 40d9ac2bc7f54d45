"""From where on an image is unknown: each form's limit, and what it does on the test part."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from export.job import DataPart, Job
from export.novelty import FEWEST, measure_novelty
from runtime.novelty import TrainingSpace
from runtime.session.base import Outputs
from tests.export.tiled import job_of_tiles

ONE = np.ones((1, 1), np.float32)
SPACE = TrainingSpace(np.zeros(1, np.float32), ONE, 0 * ONE, 0 * ONE)


class Form:
    """What ships: it embeds an image as its first pixel, times a factor."""

    def __init__(self, name: str, factor: float = 1.0) -> None:
        self.name = name
        self.factor = factor

    def outputs(self, images):
        embedding = images[:, 0, :1].astype(np.float32) * self.factor
        answers = np.zeros((len(images), 3), np.float32)
        answers[:, 0] = 1
        return Outputs(answers, embedding)


def part_of(values: list[int], counts: list[int] | None = None, targets: Any = 0) -> DataPart:
    """A part whose tiles have these first pixels."""
    tiles = np.zeros((len(values), 32, 48), np.uint8)
    tiles[:, 0, 0] = values
    numbers = np.array(counts if counts is not None else [1] * len(values))
    names = [f"{number}" for number in range(len(numbers))]
    return DataPart(tiles, np.zeros(len(numbers), np.int64) + targets, names, names, numbers)


def job(validation: DataPart, test: DataPart, **fields: Any) -> Job:
    made = job_of_tiles()
    fields = {"space": SPACE, "space_images": 7, **fields}
    return replace(made, validation=validation, test=test, **fields)


def measured(job: Job, *forms: Form):
    forms = forms or (Form("fp32"),)
    validation = {form.name: form.outputs(job.validation.images) for form in forms}
    test = {form.name: form.outputs(job.test.images) for form in forms}
    return measure_novelty(job, validation, test)


def test_each_form_gets_the_limit_of_its_own_distances():
    found, notes = measured(
        job(part_of(list(range(1, 201))), part_of([5, 199, 200, 201])),
        Form("fp32"),
        Form("int8", 2.0),
    )
    assert found is not None
    record = found.record
    assert {name: form.limit for name, form in record.forms.items()} == {"fp32": 199, "int8": 398}
    assert [form.test_unknown for form in record.forms.values()] == [2, 2]
    assert (record.images, record.train_images) == (200, 7)
    assert (record.rate, record.asked_rate) == (0.01, 0.01)
    np.testing.assert_array_equal(found.distances["int8"], np.arange(2.0, 401, 2))
    assert all("of 4 test images unknown" in note for note in notes)


def test_the_farthest_tile_of_an_image_counts():
    validation = part_of(list(range(1, 201)) * 2, [2] * 200)
    test = part_of([1, 255, 1, 1, 3, 4], [3, 1, 2])
    found, _ = measured(job(validation, test))
    assert found is not None
    assert found.record.forms["fp32"].test_unknown == 1


def test_wrong_answers_among_the_unknown_are_counted():
    test = part_of([255, 255, 1, 1, 1], targets=np.array([1, 0, 1, 0, 0]))
    found, _ = measured(job(part_of(list(range(1, 201))), test))
    assert found is not None
    form = found.record.forms["fp32"]
    assert (form.test_wrong, form.test_wrong_unknown, form.test_unknown) == (2, 1, 2)
    words = found.record.describe()
    assert "2 of 5 test images (40.0%" in words
    assert "1 of its 2 wrong answers among them" in words


def test_more_false_alarms_than_chance_are_a_note_and_fewer_are_not():
    validation = part_of(list(range(1, 200)))
    _, notes = measured(job(validation, part_of([255] * 5 + [1] * 45)))
    assert len(notes) == 1
    assert notes[0].startswith("fp32 calls 5 of 50 test images unknown, more than 1.0% by more")
    assert measured(job(validation, part_of([255] + [1] * 49)))[1] == ()


def test_too_few_images_for_the_rate_take_the_least_they_support():
    found, notes = measured(job(part_of(list(range(1, 50))), part_of([1, 2])))
    assert found is not None
    assert found.record.rate == pytest.approx(0.02)
    assert found.record.forms["fp32"].limit == 49
    assert "support no fewer false alarms of 'unknown' than 2.0% (1.0% asked for" in notes[0]
    assert "99 images" in notes[0]


def test_with_hardly_any_images_there_is_no_limit():
    few = part_of(list(range(1, FEWEST)))
    found, notes = measured(job(few, part_of([1])))
    assert found is None
    assert notes == (
        f"no frame will be unknown: {FEWEST - 1} validation images are too few for a limit (at "
        f"least {FEWEST})",
    )


def test_no_limit_where_none_is_asked_for_or_all_embeddings_are_the_same():
    parts = part_of(list(range(1, 201))), part_of([1])
    assert measured(job(*parts, false_alarms=0.0)) == (None, ())
    assert measured(job(*parts, space=None)) == (None, ())
    found, notes = measured(job(part_of([0] * 30), part_of([1])))
    assert found is None
    assert notes == ("no frame will be unknown: the embeddings of all images are the same",)
