"""The benchmark of the live page runs, for a moment."""

import pytest

pytest.importorskip("uvicorn", reason="needs pip install 'edgecl[serve]'")

from benchmarks.live_page import measure, report
from runtime.session import open_session


def test_both_sides_take_turns(make_bundle):
    with open_session(make_bundle(), engine="onnxruntime") as session:
        spells, answers = measure(session, shape=(64, 96), fps=50, viewers=1, pairs=2, seconds=1.0)
    assert [spell.viewers for spell in spells] == [1, 0, 0, 1]
    assert answers
    lines = report(spells, answers)
    assert "goal 1.05" in lines[2]
