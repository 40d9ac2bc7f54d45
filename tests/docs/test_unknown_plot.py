"""The plot of unknown defects shows the table of its page."""

from __future__ import annotations

import pytest

from docs.unknown_plot import PAGE, SIDES, caught_shares


def test_each_class_of_the_page_has_a_share_within_its_interval():
    text = PAGE.read_text(encoding="utf-8")
    for _, column, _ in SIDES.values():
        shares = caught_shares(text, column)
        assert {"crazing", "scratches"} < set(shares)
        assert all(low <= share <= high for share, low, high in shares.values())


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("# Results\n", "0 tables"),
        ("| Left out | Caught |\n|---|---|\n| stain | 3 % |\n", "'3 %' is not a share"),
    ],
)
def test_a_page_that_cannot_be_drawn_is_named(text, named):
    with pytest.raises(ValueError, match=named):
        caught_shares(text, 1)
