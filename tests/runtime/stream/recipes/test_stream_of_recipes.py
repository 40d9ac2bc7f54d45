"""Recipes of a program's own stream."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from runtime.errors import InputError
from runtime.stream.stream import Stream


def test_a_program_changes_the_recipe_between_two_frames(make_bundle, tmp_path):
    bolt = make_bundle(tmp_path / "bolt.edgecl")
    nut = make_bundle(tmp_path / "nut.edgecl", labels=("black", "white"), pass_labels=("white",))
    (tmp_path / "parts").mkdir()
    for number in range(40):
        image = np.full((40, 60), 250, np.uint8)
        cv2.imwrite(str(tmp_path / "parts" / f"{number:02}.png"), image)
    seen = []
    with Stream(str(tmp_path / "parts"), recipes={"7": bolt, "8": nut}) as stream:
        for verdict in stream:
            seen.append((verdict.recipe, verdict.decision.label))
            if len(seen) == 1:
                assert stream.change_recipe("8").ok
                assert stream.change_recipe("9").code == "recipe-unknown"
            if len(seen) == 30:
                assert stream.change_back().recipe == "7"
    assert len(seen) == 40
    assert set(seen) <= {("7", "bright"), ("8", "white")}
    assert seen[0] == ("7", "bright")


def test_a_stream_takes_a_model_or_recipes(make_bundle, tmp_path):
    with pytest.raises(InputError, match="a model, or recipes"):
        Stream("demo")
    with pytest.raises(InputError, match="a model, or recipes"):
        Stream("demo", make_bundle(), recipes={"7": tmp_path})


def test_a_stream_without_recipes_changes_none(make_bundle):
    with Stream("demo", make_bundle()) as stream, pytest.raises(InputError, match="no recipes"):
        stream.change_recipe("7")
