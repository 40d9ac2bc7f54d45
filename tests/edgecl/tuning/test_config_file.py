"""Thresholds in a configuration: one key changes, comments, order and permissions stay."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from edgecl.tuning.config_file import replace_text, with_thresholds
from runtime.errors import InputError

pytest.importorskip("tomlkit", reason="needs pip install 'edgecl[tune]'")

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def thresholds(text: str) -> object:
    return tomllib.loads(text.removeprefix("\ufeff"))["rules"]["unsure-below"]


LINE = """# line 3, do not touch
[camera]
camera = "demo"   # the strip

[rules]   # agreed with quality
pass-label = ["clean"]
{rules}
# the end
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", {"clean": 0.93}),
        ("unsure-below = 0.8  # all", {"*": 0.8, "clean": 0.93}),
        ('unsure-below = { "*" = 0.8, scratch = 0.6 }', {"*": 0.8, "scratch": 0.6, "clean": 0.93}),
        ("unsure-below = { clean = 0.5 }", {"clean": 0.93}),
        ("[rules.unsure-below]\nscratch = 0.6 # low", {"scratch": 0.6, "clean": 0.93}),
        ("unsure-below.scratch = 0.6", {"scratch": 0.6, "clean": 0.93}),
    ],
)
def test_only_the_threshold_changes(before, after):
    text = LINE.format(rules=before)
    changed = with_thresholds(text, {"clean": 0.93})
    assert thresholds(changed) == after
    for comment in ("# line 3, do not touch", "# the strip", "# agreed with quality", "# the end"):
        assert comment in changed
    assert with_thresholds(changed, {"clean": 0.93}) == changed


@pytest.mark.parametrize("text", ["", "# nothing\n", '[camera]\ncamera = "demo"\n'])
def test_a_file_without_rules_gets_them(text):
    changed = with_thresholds(text, {"clean": 0.9, 'a "b" ö': 0.8})
    assert thresholds(changed) == {"clean": 0.9, 'a "b" ö': 0.8}
    assert changed.startswith(text)


def test_line_ends_and_the_mark_of_utf_8_stay():
    changed = with_thresholds('\ufeff[camera]\r\ncamera = "demo"\r\n', {"clean": 0.9})
    assert changed.startswith("\ufeff[camera]\r\n")
    assert thresholds(changed) == {"clean": 0.9}


@pytest.mark.parametrize("rules", ["rules = 3", "[[rules]]\nx = 1"])
def test_what_is_no_table_is_refused(rules):
    with pytest.raises(InputError, match="cannot be changed"):
        with_thresholds(rules, {"clean": 0.9})


def test_who_may_read_it_stays_and_so_does_a_link(tmp_path):
    file = tmp_path / "real.toml"
    file.write_text("secret")
    file.chmod(0o640)
    link = tmp_path / "line.toml"
    link.symlink_to(file)
    replace_text(link, b"secret", "new")
    assert link.is_symlink()
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [path.name for path in Path(tmp_path).iterdir() if path.name.startswith(".")] == []


def test_a_file_that_somebody_changed_meanwhile_is_left(tmp_path):
    file = tmp_path / "line.toml"
    file.write_text("theirs")
    with pytest.raises(InputError, match="was changed"):
        replace_text(file, b"before", "ours")
    assert file.read_text() == "theirs"
