"""Logins of cameras from a file: into the address, never into what is shown."""

from __future__ import annotations

import pytest

from runtime.camera.address import sort_source
from runtime.camera.login import logged_in
from runtime.errors import InputError


@pytest.fixture
def login(tmp_path):
    path = tmp_path / "camera.login"
    path.write_text("admin\np@ss/w:rd%?\n")
    return path


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("rtsp://h:554/x?y=1", "rtsp://admin:p%40ss%2Fw%3Ard%25%3F@h:554/x?y=1"),
        ("http://[::1]:80/a@b", "http://admin:p%40ss%2Fw%3Ard%25%3F@[::1]:80/a@b"),
        # As --print-config leaves it.
        ("rtsp://admin:***@h/x", "rtsp://admin:p%40ss%2Fw%3Ard%25%3F@h/x"),
    ],
)
def test_the_file_goes_into_the_address(login, source, expected):
    assert logged_in(sort_source(source), login).text == expected


def test_without_a_file_the_source_stays_as_it_is():
    for text in ("demo", "rtsp://u:p@h/x", "rtsp://h/x"):
        assert logged_in(sort_source(text), None).text == text


@pytest.mark.parametrize(
    ("source", "content", "told"),
    [
        (
            "rtsp://u:secret@h/x",
            "a\nb",
            "in its address, and --login-file gives another",
        ),
        ("rtsp://u@h/x", "a\nb", "has a login in its address"),
        ("demo", "a\nb", "camera demo has no login"),
        ("rtsp://h/x", "a\nb\nc", "has not two lines"),
        ("rtsp://h/x", "", "is empty"),
        ("rtsp://h/x", None, "cannot be read: No such file"),
        ("rtsp://u:***@h/x", ..., "has *** in place of its password"),
        ("http://h/x?pwd=***&fps=5", ..., "has *** in place of its password"),
    ],
)
def test_a_login_that_cannot_be_used_is_one_line(tmp_path, source, content, told):
    path = None if content is ... else tmp_path / "login"
    if isinstance(content, str):
        assert path is not None
        path.write_text(content)
    with pytest.raises(InputError) as caught:
        logged_in(sort_source(source), path)
    assert told in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.hint
