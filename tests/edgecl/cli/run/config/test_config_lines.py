"""The lines that messages name."""

from typing import Any

import pytest
import tomllib

from edgecl.cli.run.config.lines import first_duplicate, key_lines, lines_by_path

TEXT = '''# a comment with [brackets] and a = sign
top = 1

[camera]  # here
"camera" = "rtsp://a # no comment"
names = [
  "one", # [two]
  'three = 3', [1, { inner = 2 }],
]
long = """
fps = 3
\\""" """

[ rules . "unsure-below" ]
"läuft = gut" = 0.5
dotted.key = 2
inline = { a = 1, b = [2, 3], "c d" = { e = 4 } }
last = 1979-05-27T07:32:00Z
'''


def paths(document: dict[str, Any], before: tuple[str, ...] = ()):
    for key, value in document.items():
        yield (*before, key)
        if isinstance(value, dict):
            yield from paths(value, (*before, key))


def test_each_key_has_its_line():
    lines = lines_by_path(TEXT)
    rules = ("rules", "unsure-below")
    assert lines[("top",)] == 2
    assert lines[("camera",)] == 4
    assert lines[("camera", "camera")] == 5
    assert lines[("camera", "names")] == 6
    assert lines[("camera", "long")] == 10
    assert lines[rules] == 14
    assert lines[(*rules, "läuft = gut")] == 15
    assert lines[(*rules, "dotted", "key")] == 16
    assert lines[(*rules, "inline", "c d", "e")] == 17
    assert lines[(*rules, "last")] == 18


def test_no_key_of_pythons_parser_is_missed():
    implicit = {("rules",), ("rules", "unsure-below", "dotted")}
    assert set(paths(tomllib.loads(TEXT))) == set(lines_by_path(TEXT)) | implicit


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a]\nx = 1\ny = 2\nx = 3\n", (("a", "x"), 4, 2)),
        ("[a]\nx = 1\n[b]\nx = 1\n[a]\n", (("a",), 5, 1)),
        ("a = { x = 1, x = 2 }\n", (("a", "x"), 1, 1)),
        ("[a]\nx = 1\n[b]\nx = 1\n", None),
        ("[[a]]\n[[a]]\n", None),
    ],
)
def test_a_duplicate_has_both_lines(text, found):
    assert first_duplicate(text) == found


@pytest.mark.parametrize("text", ["[a", "a = ", "a = {b", "= 1", 'a = "x', "a = [1,", "[a]]\nb"])
def test_malformed_text_ends_the_search(text):
    assert len(list(key_lines(text))) <= 1
