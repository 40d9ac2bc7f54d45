"""Messages in plain words: every error has a hint, and old vocabulary is gone for good."""

import re
from pathlib import Path

import click
import pytest

from edgecl.cli.shell import edgecl
from tests.messages.strings import PACKAGES, ROOT, errors, prose

FORBIDDEN = (
    r"\bpictures?\b",
    r"\bmend(s|ed|ing)?\b",
    r"control images?",
    r"how-manieth",
    r"\breckon",
    r"nobody is here",
    r"not little arithmetic",
    r"carry the image",
    r"\bholds? nothing\b",
    r"leave (one of them|it) out",
    r"\bis no (file|bundle|study|key|number|image|class|manifest|video|record|name|text)\b",
    r"\bare no numbers\b",
    r"\bof no use\b",
    r"\bgone on with\b",
)
FORBIDDEN_WORD = re.compile("|".join(FORBIDDEN), re.IGNORECASE)
# Names and abbreviations that a message may begin with.
NAMES = [
    "OpenCV",
    "TensorRT",
    "RANK",
    "EncodedPixels",
    "FP16",
    "INT8",
    "FP32",
    "CUDA",
    "GPU",
    "Triton",
    "JPEG",
    "PNG",
    "TIFF",
    "WebP",
    "GIF",
    "PNM",
]
SOURCES = sorted(
    path
    for folder in PACKAGES
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".html"}
)
# The change log has to name what was renamed.
PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")} - {ROOT / "CHANGELOG.md"})


def test_every_error_has_a_hint():
    assert len(errors()) > 250
    found = [
        f"{error.place}: {' | '.join(error.problems)}"
        for error in errors()
        if error.kind != "FrameError" and not error.has_hint
    ]
    assert not found, "\n".join(found)


def test_no_message_ends_with_a_full_stop():
    found = [
        f"{error.place}: {text}"
        for error in errors()
        for text in (*error.problems, *error.hints)
        if text.rstrip().endswith(".")
    ]
    assert not found, "\n".join(found)


def test_no_message_begins_with_a_capital_but_for_names():
    found = [
        f"{error.place}: {text}"
        for error in errors()
        for text in (*error.problems, *error.hints)
        if re.match("[A-Z]", text) and not text.startswith(tuple(NAMES))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("paths", [SOURCES, PAGES], ids=["sources", "pages"])
def test_no_file_has_a_word_of_the_old_vocabulary(paths: list[Path]):
    assert len(paths) > 20
    found = [
        f"{path.relative_to(ROOT)}: {word.group()}"
        for path in paths
        for word in FORBIDDEN_WORD.finditer(" ".join(path.read_text(encoding="utf-8").split()))
    ]
    assert not found, "\n".join(found)


def test_the_list_sees_what_users_see():
    texts = {text for _, text in prose()}
    assert "Run directory.  [default: runs/ENCODER-METHOD-TIME]" in texts
    assert any(text.startswith("unknown TensorRT module") for text in texts)


def test_every_option_says_what_it_does():
    context = click.Context(edgecl)
    silent = [
        f"{name} {option.opts[0]}"
        for name in edgecl.list_commands(context)
        if (verb := edgecl.get_command(context, name)) is not None
        for option in verb.params
        if isinstance(option, click.Option) and not option.help
    ]
    assert not silent
