"""The benchmark of unknown defects: a class left out, what is kept, and its tables."""

import numpy as np
import pytest

from benchmarks.unknown import (
    KNOWN,
    SOFTMAX,
    UNKNOWN,
    Answers,
    WithoutClass,
    keep,
    kept,
    outcome_of,
    print_tables,
    scores,
)
from edgecl.data.dataset import ImageSet
from edgecl.learning.config import TrainConfig
from edgecl.learning.run.sources import ImageSource


class Three(ImageSource):
    """Six images of three classes."""

    def labelled(self, config, progress):
        names = [str(row) for row in range(6)]
        pixels = np.arange(6, dtype=np.uint8)[:, None, None].repeat(4, 1).repeat(4, 2)
        targets = np.array([0, 1, 2, 0, 1, 2])
        return ImageSet(pixels, names, names, ("a", "b", "c"), targets, names)


def test_a_class_is_left_out_and_the_others_are_numbered_anew():
    found = WithoutClass(Three(), "b").labelled(TrainConfig(), lambda *_: None)
    assert found.labels == ("a", "c")
    assert found.targets.tolist() == [0, 1, 0, 1]
    assert found.stretched[:, 0, 0].tolist() == [0, 2, 3, 5]
    assert list(found.files) == ["0", "2", "3", "5"]


def part(count: int, seed: int, *, known: bool) -> Answers:
    """Images of two tiles: of two classes far apart, or of none, between them."""
    rng = np.random.default_rng(seed)
    targets = np.arange(count) % 2
    place = 20 * targets if known else np.full(count, 10)
    embeddings = rng.normal(size=(2 * count, 8)).astype(np.float32)
    embeddings[:, 0] += place.repeat(2)
    logits = np.stack([10 - embeddings[:, 0], embeddings[:, 0] - 10], axis=1)
    return Answers(embeddings, logits, np.full(count, 2), targets if known else targets * 0 - 1)


@pytest.fixture
def parts() -> dict[str, Answers]:
    found = {name: part(200, seed, known=True) for seed, name in enumerate(KNOWN)}
    return {**found, UNKNOWN: part(50, 9, known=False)}


def test_what_lies_between_the_classes_is_found(parts):
    by_score = {name: outcome_of(score, parts) for name, score in scores(parts["train"]).items()}
    first = by_score[next(iter(by_score))]
    assert (first.caught, first.unknown, first.test) == (50, 50, 200)
    assert first.auroc == 1
    assert first.alarms <= 8
    assert SOFTMAX in by_score


def test_what_is_kept_is_read_back(parts, tmp_path):
    keep(tmp_path / "a.npz", parts)
    found = kept(tmp_path / "a.npz")
    assert list(tmp_path.iterdir()) == [tmp_path / "a.npz"]
    for name, answers in parts.items():
        for key, value in vars(answers).items():
            np.testing.assert_array_equal(getattr(found[name], key), value)


def test_the_tables_name_every_class_and_every_score(parts, capsys):
    by_score = {name: outcome_of(score, parts) for name, score in scores(parts["train"]).items()}
    print_tables({"a": by_score, "b": by_score}, {"a": 0.5, "b": 1.0})
    out = capsys.readouterr().out
    assert all(name in out for name in by_score)
    assert "100.0%" in out
