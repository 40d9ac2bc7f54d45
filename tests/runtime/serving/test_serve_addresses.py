"""Addresses to serve at, tokens and certificates: one clear line for each mistake."""

from __future__ import annotations

import socket

import pytest

from runtime.errors import InputError
from runtime.listening import is_loopback
from runtime.serving import server
from runtime.serving.access import SERVE_TOKEN, Access, read_token
from runtime.serving.address import ServeAddress, listen, parse_name, parse_serve
from runtime.serving.certificate import read_certificate
from runtime.serving.opening import open_pages
from tests.runtime.stream.remote.certificates import make_certificates


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("8080", "127.0.0.1", 8080),
        ("[::1]:80", "::1", 80),
        ("line-3:0", "line-3", 0),
        ("0.0.0.0:65535", "0.0.0.0", 65535),
    ],
)
def test_addresses(text, host, port):
    assert parse_serve(text) == ServeAddress(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        ":80",
        "x",
        "x:",
        "x:y",
        "x:65536",
        "x:-1",
        "::1:80",
        "[::1]",
        "http://x:80",
        "a b:80",
        "u@x:80",
        "x:٣",
        "x:80\n",
        "[x:80",
        "x:080000",
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InputError, match="is not HOST:PORT"):
        parse_serve(text)


def test_names_have_neither_port_nor_blank():
    assert parse_name("Line-3.plant") == "line-3.plant"
    for text in ("", "line:80", "a b", "*", "http://x", "x" * 300):
        with pytest.raises(InputError, match="is not a host's name"):
            parse_name(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1", "localhost", ""])
def test_what_is_not_loopback(host):
    assert not is_loopback(host)


def test_a_port_in_use_and_an_address_of_another_machine():
    with listen(ServeAddress("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"another program has port {port}"):
            listen(ServeAddress("127.0.0.1", port))
    with pytest.raises(InputError, match="does not have that address"):
        listen(ServeAddress("192.0.2.1", 8080))
    with pytest.raises(InputError, match="the host is not known"):
        listen(ServeAddress("no-such-host.invalid", 8080))


def test_other_machines_need_a_token(monkeypatch):
    monkeypatch.delenv(SERVE_TOKEN, raising=False)
    pytest.importorskip("uvicorn", reason="needs pip install 'edgecl[serve]'")
    for address in ("0.0.0.0:0", "[::]:0"):
        with pytest.raises(InputError, match="every machine that reaches this one") as caught:
            open_pages(address, print)
        assert "--serve-token" in caught.value.hint


def test_a_missing_package_names_the_command(monkeypatch):
    monkeypatch.setattr(server, "_PACKAGES", ("no_such_package",))
    with pytest.raises(InputError, match="needs no_such_package") as caught:
        open_pages("127.0.0.1:0", print)
    assert caught.value.hint == "install it: pip install 'edgecl[serve]'"
    assert caught.value.code == "package-missing"


def test_the_token_comes_from_a_file_or_the_environment(tmp_path):
    said: list[str] = []
    path = tmp_path / "token"
    path.write_text("0123456789abcdef\n")
    path.chmod(0o600)
    assert read_token(path, said.append, {SERVE_TOKEN: "x" * 20}) == "0123456789abcdef"
    assert read_token(None, said.append, {SERVE_TOKEN: " 0123456789abcdeg "}) == "0123456789abcdeg"
    assert read_token(None, said.append, {}) == ""
    assert said == []
    path.chmod(0o644)
    read_token(path, said.append, {})
    assert said == [f"note: other users may read the token in {path}; chmod 600 keeps it secret"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"short", "shorter than 16"),
        (b"", "is empty"),
        (b"\xff" * 20, "not text in UTF-8"),
        (b"two words that are long", "blanks"),
        ("ä".encode() * 20, "beyond ASCII"),
    ],
)
def test_a_token_that_cannot_be_used_is_not_shown(tmp_path, content, problem):
    path = tmp_path / "secret-file"
    path.write_bytes(content)
    with pytest.raises(InputError, match=problem) as caught:
        read_token(path, print, {})
    assert "short " not in str(caught.value).replace("shorter", "")
    with pytest.raises(InputError, match="cannot be read"):
        read_token(tmp_path / "none", print, {})


def test_hosts_of_a_server_for_other_machines():
    access = Access("0123456789abcdef", names=("line-3", "Cert.plant"), local=False)
    for host in ("10.0.0.7", "10.0.0.7:8080", "[fe80::1]:80", "LINE-3:1", "cert.plant"):
        assert access.takes_host(host)
    for host in ("evil.example", "line-3.evil.example", "line-3:x", "line-3:", "", "[::1", "::1"):
        assert not access.takes_host(host)


def test_certificates(tmp_path):
    made = make_certificates(tmp_path / "good")
    held = read_certificate(made.certificate, made.key)
    assert (held.names, held.problem) == (("localhost",), "")
    both = tmp_path / "both.pem"
    both.write_bytes(made.key.read_bytes() + made.certificate.read_bytes())
    assert read_certificate(both, None).problem == ""
    other = make_certificates(tmp_path / "other")
    with pytest.raises(InputError, match="does not belong to the certificate"):
        read_certificate(made.certificate, other.key)
    with pytest.raises(InputError, match=r"server\.key has no certificate"):
        read_certificate(made.key, made.key)
    with pytest.raises(InputError, match=r"server\.pem has no private key"):
        read_certificate(made.certificate, None)
    with pytest.raises(InputError, match=r"--serve-key .* cannot be read"):
        read_certificate(made.certificate, tmp_path / "none")


def test_a_damaged_or_encrypted_key_asks_nobody(tmp_path):
    made = make_certificates(tmp_path / "good")
    damaged = tmp_path / "damaged.key"
    damaged.write_bytes(made.key.read_bytes()[:80])
    with pytest.raises(InputError, match=r"damaged\.key has no private key"):
        read_certificate(made.certificate, damaged)
    from cryptography.hazmat.primitives import serialization as s

    key = s.load_pem_private_key(made.key.read_bytes(), None)
    secret = s.BestAvailableEncryption(b"secret")
    encrypted = tmp_path / "encrypted.key"
    encrypted.write_bytes(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, secret))
    with pytest.raises(InputError, match="is encrypted"):
        read_certificate(made.certificate, encrypted)


@pytest.mark.parametrize(("days", "problem"), [((-30, -1), "expired"), ((5, 30), "not yet valid")])
def test_a_certificate_out_of_its_time_is_told_and_served(tmp_path, days, problem):
    made = make_certificates(tmp_path / "old", days=days)
    assert problem in read_certificate(made.certificate, made.key).problem
    pytest.importorskip("uvicorn", reason="needs pip install 'edgecl[serve]'")
    said: list[str] = []
    pages = open_pages("127.0.0.1:0", said.append, certificate=made.certificate, key=made.key)
    pages.server.close()
    assert len(said) == 1
    assert problem in said[0]
    assert pages.url.startswith("https://127.0.0.1:")


def test_the_port_is_free_again_after_a_refusal():
    pytest.importorskip("uvicorn", reason="needs pip install 'edgecl[serve]'")
    pages = open_pages("127.0.0.1:0", print)
    port = int(pages.url.rstrip("/").rpartition(":")[2])
    pages.server.close()
    with socket.socket() as again:
        again.bind(("127.0.0.1", port))
