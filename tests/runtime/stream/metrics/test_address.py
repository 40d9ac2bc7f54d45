"""Addresses of metrics, and the token of those who may read them."""

from __future__ import annotations

import pytest

from runtime.errors import InputError
from runtime.listening import is_loopback
from runtime.stream.metrics.address import TOKEN, MetricsAddress, parse_metrics


@pytest.mark.parametrize(
    ("text", "host", "port", "file"),
    [
        ("9464", "127.0.0.1", 9464, None),
        ("127.0.0.1:9464", "127.0.0.1", 9464, None),
        ("localhost:0", "localhost", 0, None),
        ("[::1]:9464", "::1", 9464, None),
        ("[fe80::1%eth0]:9464", "fe80::1%eth0", 9464, None),
        ("0.0.0.0:80?token-file=/etc/a%20b", "0.0.0.0", 80, "/etc/a b"),
    ],
)
def test_what_an_address_says(text, host, port, file):
    assert parse_metrics(text) == MetricsAddress(host, port, file)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":9464",
        "box",
        "box:",
        "box:x",
        "1.2.3.4:65536",
        "::1:9464",
        "a b:9464",
        "u@box:9464",
        "http://box:9464",
        "box:9464/metrics",
        "box:-1",
        "box:９４６４",
        "[]:9464",
    ],
)
def test_what_is_no_address_is_named(text):
    with pytest.raises(InputError, match=r"is no HOST:PORT; as in --metrics 127\.0"):
        parse_metrics(text)


@pytest.mark.parametrize(
    "rest", ["", "token=geheim", "token-file=", "token-file=a&token-file=b", "token-file=a&x=b"]
)
def test_a_token_stands_in_a_file_and_not_in_the_address(rest):
    with pytest.raises(InputError, match=f"token-file=FILE.*{TOKEN}") as caught:
        parse_metrics(f"127.0.0.1:9464?{rest}")
    assert "geheim" not in str(caught.value)


def test_a_token_comes_from_its_file_before_the_environment(tmp_path):
    (tmp_path / "token").write_text("of-the-file\n")
    named = MetricsAddress("127.0.0.1", 1, str(tmp_path / "token"))
    assert named.token({TOKEN: "of-the-environment"}) == "of-the-file"
    unnamed = MetricsAddress("127.0.0.1", 1)
    assert unnamed.token({TOKEN: "of-the-environment"}) == "of-the-environment"
    assert unnamed.token({TOKEN: ""}) is unnamed.token({}) is None


@pytest.mark.parametrize("content", ["two\nlines\n", "with blank", "müll", "tab\there"])
def test_what_no_header_can_carry_is_no_token(tmp_path, content):
    (tmp_path / "token").write_text(content)
    with pytest.raises(InputError, match="holds no token; write one line") as caught:
        MetricsAddress("127.0.0.1", 1, str(tmp_path / "token")).token({})
    assert content not in str(caught.value)


@pytest.mark.parametrize("content", [None, "", "\n", b"\xff\xfe"])
def test_a_file_without_a_token_is_one_line(tmp_path, content):
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=r"token-file .*token (cannot be read|is empty)"):
        MetricsAddress("127.0.0.1", 1, str(path)).token({})


def test_a_host_that_there_is_not():
    with pytest.raises(InputError, match=r"there is no host 'no-such-host\.invalid'"):
        MetricsAddress("no-such-host.invalid", 1).resolved()
    with pytest.raises(InputError, match="there is no host"):
        MetricsAddress("a" * 300, 1).resolved()


@pytest.mark.parametrize(
    ("number", "local"),
    [
        *[("127.0.0.1", True), ("127.3.2.1", True), ("::1", True)],
        *[("0.0.0.0", False), ("::", False), ("192.168.0.10", False), ("fe80::1%eth0", False)],
    ],
)
def test_which_addresses_only_this_machine_reaches(number, local):
    assert is_loopback(number) is local
