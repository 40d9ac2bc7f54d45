"""The contact sheet of a pick: every image with its reason, whatever it is called."""

from pathlib import Path

import numpy as np
import pytest

from edgecl.picking.documents import PickedImage, PickSummary
from edgecl.reporting.pages.picking import picking_page


def summary(way: str, margin: float | None) -> PickSummary:
    row = PickedImage(
        rank=1,
        file="parts/<b>two\nlines\udcff.png",
        copy="001_two_lines.png",
        reason="bars or <blob>",
        cluster=3,
        typicality=1.5,
        margin=margin,
    )
    return PickSummary(
        picked=(row,),
        asked=1,
        way=way,
        rule="30 labelled images of 3 classes",
        images=1234,
        labelled=30,
        classes=3,
        clusters=31,
        copies=2,
        model="" if margin is None else "the network of runs/x",
        notes=("skipped <i>x.png: torn",),
        seed=0,
        seconds=1.0,
        out="some/picked",
    )


@pytest.mark.parametrize(
    ("way", "margin", "text"),
    [("typical", None, "most typical image of its cluster"), ("doubtful", 0.25, "least sure")],
)
def test_the_sheet_shows_each_image_with_its_reason(tmp_path, check_page, way, margin, text):
    images = [np.full((300, 900), 80, np.uint8)]
    path = picking_page(tmp_path, summary(way, margin), images)
    page = check_page(path)
    assert path == tmp_path / "picked.html"
    assert page.tags.count("img") == 1
    assert text in page.text
    assert "<b>two" in page.text  # escaped: it is text, not a tag
    assert "bars or <blob>" in page.text
    assert "skipped <i>x.png: torn" in page.text
    assert "of 1,234 images" in page.text
    assert ("0.25" in page.text) == (margin is not None)
    assert ("the network of runs/x" in page.text) == (margin is not None)


def test_large_images_are_shown_small(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000), np.uint8)
    assert picking_page(tmp_path, summary("typical", None), [noise]).stat().st_size < 100_000
    assert Path(tmp_path, "picked.html").is_file()
