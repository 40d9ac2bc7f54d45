"""Recipes of a program's own stream."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.errors import InputError
from runtime.stream.stream import Stream
from tests.runtime.stream.recipes.test_changer import HandCamera


def test_a_program_changes_the_recipe_between_two_frames(make_bundle, tmp_path):
    bolt = make_bundle(tmp_path / "bolt.edgecl")
    nut = make_bundle(tmp_path / "nut.edgecl", labels=("black", "white"), pass_labels=("white",))
    camera, white = HandCamera(), np.full((40, 60), 250, np.uint8)
    seen = []
    with Stream(camera, recipes={"7": bolt, "8": nut}) as stream:
        camera.parts.put(white)
        for verdict in stream:
            seen.append((verdict.recipe, verdict.decision.label))
            assert verdict.bundle == {"7": "bolt.edgecl", "8": "nut.edgecl"}[verdict.recipe]
            assert verdict.decision.label in verdict.labels
            if len(seen) == 1:
                assert stream.change_recipe("8").ok
                assert stream.change_recipe("9").code == "recipe-unknown"
            if len(seen) == 2:
                assert stream.change_back().recipe == "7"
            camera.parts.put(white if len(seen) < 3 else None)
    assert seen == [("7", "bright"), ("8", "white"), ("7", "bright")]


def test_recipes_of_several_cameras_and_workers(make_bundle, tmp_path):
    bolt, nut = make_bundle(tmp_path / "bolt.edgecl"), make_bundle(tmp_path / "nut.edgecl")
    cameras = {"left": HandCamera(), "right": HandCamera()}
    with Stream(cameras, recipes={"7": bolt, "8": nut}, workers=2) as stream:
        assert stream.change_recipe("8").ok
        for camera in cameras.values():
            camera.parts.put(np.full((40, 60), 250, np.uint8))
            camera.parts.put(None)
        verdicts = list(stream)
    assert {(verdict.camera, verdict.recipe) for verdict in verdicts} == {
        ("left", "8"),
        ("right", "8"),
    }
    with pytest.raises(InputError, match="0 workers"):
        Stream(cameras, recipes={"7": bolt}, workers=0)


def test_a_stream_takes_a_model_or_recipes(make_bundle, tmp_path):
    with pytest.raises(InputError, match="a model, or recipes"):
        Stream("demo")
    with pytest.raises(InputError, match="a model, or recipes"):
        Stream("demo", make_bundle(), recipes={"7": tmp_path})


def test_a_stream_without_recipes_changes_none(make_bundle):
    with Stream("demo", make_bundle()) as stream, pytest.raises(InputError, match="no recipes"):
        stream.change_recipe("7")
