"""What sinks tell of a verdict after a change: of the recipe that judged, not of the first one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from runtime.stream.budget import Budget
from runtime.stream.metrics.families import rendered
from runtime.stream.metrics.watched import WatchedStation, WatchedStream
from runtime.stream.opcua.line import VisionLine
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.recipes.recipe import LineRecipe, RecipeMark
from runtime.stream.rules import Rules
from runtime.stream.sinks import StreamFacts
from runtime.stream.sinks.remote.messages import verdict_message
from tests.runtime.stream.images.test_sink import FACTS, Kept, frame_of, verdict_of
from tests.runtime.stream.recipes.test_changer import HandCamera
from tests.runtime.stream.test_pipeline import FakeSession

MARK = RecipeMark("8", "e" * 64, "nut.edgecl", ("spot", "dent"))
JUDGED = replace(
    verdict_of(1), recipe=MARK.id, digest=MARK.digest, bundle=MARK.bundle, labels=MARK.labels
)


def test_a_kept_image_has_the_labels_of_the_recipe(tmp_path: Path):
    kept = Kept(tmp_path)
    kept.sink.observe(frame_of(0), verdict_of(0))
    kept.sink.observe(frame_of(1), JUDGED)
    kept.sink.close()
    first, second = kept.records
    assert (first.bundle, first.digest, set(first.probabilities)) == (
        FACTS.bundle,
        FACTS.digest,
        {"clean", "spot"},
    )
    assert (second.bundle, second.digest) == (MARK.bundle, MARK.digest)
    assert second.probabilities == {"spot": 0.1, "dent": 0.9}


def test_a_message_names_the_bundle_that_judged():
    facts = StreamFacts("run", "bolt.edgecl")
    assert msgspec.json.decode(verdict_message(verdict_of(0), facts)[1])["bundle"] == "bolt.edgecl"
    _, body = verdict_message(JUDGED, facts)
    assert msgspec.json.decode(body)["bundle"] == "nut.edgecl"
    line = VisionLine("run", "bolt.edgecl")
    line.take(body)
    assert (line.prepared, line.bundle) == ("8", "nut.edgecl")


def test_metrics_name_the_bundle_that_judges_and_the_limits_that_hold():
    pytest.importorskip("prometheus_client")
    camera = HandCamera()
    settings = Settings(Rules())
    pipeline = Pipeline(camera, FakeSession(), settings, mark=RecipeMark("7", "d", "bolt.edgecl"))
    watched = WatchedStream("", pipeline, camera, ())
    station = WatchedStation(StreamFacts(bundle="bolt.edgecl"), FakeSession(), [watched])
    assert 'bundle="bolt.edgecl"' in rendered(station).decode()
    recipe = LineRecipe(FakeSession(), mark=MARK)
    pipeline.change_recipe(pipeline.judges_of(recipe), 0)
    assert 'bundle="nut.edgecl"' in rendered(station).decode()
    pipeline.change(Rules(Budget({"infer": 8_000_000})), None)
    assert 'edgecl_budget_seconds{step="infer"} 0.008' in rendered(station).decode()
