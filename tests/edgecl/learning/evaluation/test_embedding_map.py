"""Embeddings on a plane: near stays near, and odd sets do no harm."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from edgecl.learning.evaluation import embedding_map
from edgecl.learning.evaluation.embedding_map import map_embeddings, write_embedding


@pytest.fixture(autouse=True)
def as_users_get_it(monkeypatch, full_map):
    monkeypatch.setattr(embedding_map, "ITERATIONS", full_map)


def clusters(count: int, *, dimensions: int = 16, seed: int = 0):
    rng = np.random.default_rng(seed)
    member = np.arange(count) % 3
    noise = rng.normal(0, 0.1, (count, dimensions))
    return (noise + np.eye(3, dimensions)[member]).astype(np.float32), member


@pytest.mark.parametrize(("count", "method"), [(12, "PCA"), (60, "t-SNE")])
def test_the_nearest_on_the_plane_are_of_the_same_cluster(count, method):
    embeddings, member = clusters(count)
    layout = map_embeddings(embeddings, seed=0)
    assert (layout.method, layout.count) == (method, count)
    gaps = np.linalg.norm(layout.places[:, None] - layout.places[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    assert (member[gaps.argmin(1)] == member).all()


def test_the_same_embeddings_get_the_same_places_whatever_their_scale():
    embeddings, _ = clusters(40)
    first, again = (map_embeddings(embeddings, seed=0) for _ in range(2))
    np.testing.assert_array_equal(first.places, again.places)
    huge = map_embeddings(embeddings * np.float32(2.0**100), seed=0)
    np.testing.assert_array_equal(first.places, huge.places)


def test_a_large_set_is_thinned_out_by_the_seed():
    embeddings, _ = clusters(50)
    rows = [map_embeddings(embeddings, seed=seed, limit=15).rows.tolist() for seed in (0, 0, 1)]
    assert rows[0] == rows[1] != rows[2]
    assert rows[0] == sorted(set(rows[0]))
    assert len(rows[0]) == 15
    layout = map_embeddings(embeddings, seed=0, limit=15)
    assert layout.to_json() == {"method": "PCA", "perplexity": None, "shown": 15, "of": 50}


@pytest.mark.parametrize("count", [20, 25])
def test_the_perplexity_fits_a_small_set(count):
    layout = map_embeddings(clusters(count)[0], seed=0)
    assert layout.method == "t-SNE"
    assert layout.perplexity is not None
    assert layout.perplexity <= (count - 1) / 3
    assert np.isfinite(layout.places).all()


@pytest.mark.parametrize("shape", [(1, 8), (2, 8), (5, 1), (30, 1), (30, 8)])
def test_sets_without_two_dimensions_still_have_places(shape):
    rng = np.random.default_rng(0)
    for embeddings in (np.ones(shape), np.ones(shape) * rng.normal(size=(shape[0], 1))):
        places = map_embeddings(embeddings.astype(np.float32), seed=0).places
        assert places.shape == (shape[0], 2)
        assert np.isfinite(places).all()


def test_the_table_has_a_row_per_place_and_any_name(tmp_path):
    embeddings, member = clusters(50)
    layout = map_embeddings(embeddings, seed=0, limit=10)
    names = [f'{number} "\udcff,\n.png' for number in range(50)]
    write_embedding(
        tmp_path,
        layout,
        files=names,
        targets=member,
        predicted=np.zeros(50, np.int64),
        labels=("a", "b", "c"),
    )
    text = (tmp_path / "embedding.csv").read_bytes().decode(errors="surrogateescape")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["file"] for row in rows] == [names[row] for row in layout.rows]
    assert [row["truth"] for row in rows] == ["abc"[member[row]] for row in layout.rows]
    assert {row["predicted"] for row in rows} == {"a"}
    written = [[float(row["x"]), float(row["y"])] for row in rows]
    np.testing.assert_allclose(written, layout.places, rtol=1e-5, atol=1e-9)
