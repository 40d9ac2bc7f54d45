"""Addresses of servers, models on them, and the secrets that go along."""

from __future__ import annotations

import pytest

from runtime.errors import InputError
from runtime.session.oip.address import ServerAddress, parse_server, read_header, tls_context
from runtime.session.oip.opening import served_model


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://triton", ServerAddress("http", "triton", 8000)),
        ("HTTP://triton:80/", ServerAddress("http", "triton", 80)),
        ("https://triton/plant/a/", ServerAddress("https", "triton", 443, "/plant/a")),
        ("grpc://[::1]:9000", ServerAddress("grpc", "::1", 9000)),
        ("grpcs://triton", ServerAddress("grpcs", "triton", 443)),
    ],
)
def test_addresses(text, address):
    assert parse_server(text) == address


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is no address"),
        ("triton:8000", "is no address"),
        ("http://", "is no address"),
        ("http://triton:0", "is no address"),
        ("http://triton:99999", "is no address"),
        ("http://tri ton", "is no address"),
        ("ftp://triton", "is no address"),
        ("http://triton\n:80", "is no address"),
        ("http://[::1", "is no address"),
        ("http://user:pass@triton", "password must not stand"),
        ("http://triton?token=secret", "more than scheme, host, port and path"),
        ("http://triton#a", "more than scheme"),
        ("http://triton:8000/v2", "has a version in it"),
        ("http://triton:8000/v2/models/line", "has a version in it"),
        ("grpc://triton/line", "gRPC has no path"),
    ],
)
def test_what_is_no_address(text, problem):
    with pytest.raises(InputError, match=problem) as caught:
        parse_server(text)
    assert "secret" not in str(caught.value)
    assert "pass@" not in str(caught.value)


def test_models():
    assert str(served_model("line_int8")) == "line_int8"
    assert str(served_model("line_int8/3")) == "line_int8 version 3"
    for text in ("", "/3", "line/", "a/b/c", "a b", "ü"):
        with pytest.raises(InputError, match="is no model of a server"):
            served_model(text)


def test_headers(tmp_path):
    path = tmp_path / "token"
    path.write_text("abc\n")
    assert read_header(path) == ("Authorization", "Bearer abc")
    path.write_text("X-Api-Key: a b\n")
    assert read_header(path) == ("X-Api-Key", "a b")
    assert read_header(None, {}) is None
    assert read_header(None, {"EDGECL_SERVER_TOKEN": " "}) is None
    assert read_header(None, {"EDGECL_SERVER_TOKEN": "abc"}) == ("Authorization", "Bearer abc")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (b"s3cret\nX-Other: b", "is not one line"),
        ("s3crét".encode(), "is not one line"),
        (b"\xff", "is not text"),
        (b"Content-Length: 5", "which each request sets itself"),
    ],
    ids=["empty", "two-lines", "accent", "no-text", "own"],  # folders are named by them
)
def test_what_is_no_header(tmp_path, data, problem):
    (tmp_path / "token").write_bytes(data)
    with pytest.raises(InputError, match=problem) as caught:
        read_header(tmp_path / "token")
    assert "s3cr" not in str(caught.value)


def test_files_that_are_missing(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_header(tmp_path / "none")
    with pytest.raises(InputError, match="cannot be read: No such file"):
        tls_context(tmp_path / "none")
    (tmp_path / "ca").write_text("no certificate")
    with pytest.raises(InputError, match="no certificate in it"):
        tls_context(tmp_path / "ca")
