"""`edgecl export --sign`: whom a bundle says it is from, and what a bad key stops in time."""

from __future__ import annotations

import json
import shutil

import pytest

from edgecl.cli.shell import run as edgecl
from export.bundle import manifest
from tests.made_once import spared_exports

pytest.importorskip("cryptography", reason="signatures are an extra: edgecl[sign]")
pytestmark = pytest.mark.usefixtures("graphs_made_once")


@pytest.fixture
def keys(tmp_path):
    assert edgecl(["keys", str(tmp_path / "line")]) == 0
    return tmp_path / "line.key", tmp_path / "line.pub"


@pytest.fixture
def signed(trained_run, made_once, tmp_path):
    """A copy of one signed export, and the keys: `b.edgecl`, `line.key` and `line.pub`."""

    def export_signed(folder):
        folder.mkdir()
        assert edgecl(["keys", str(folder / "line")]) == 0
        with spared_exports(made_once):
            assert export(trained_run, folder / "b.edgecl", "--sign", folder / "line.key") == 0

    shutil.copytree(made_once("exports/signed", export_signed), tmp_path, dirs_exist_ok=True)
    return tmp_path / "b.edgecl", tmp_path / "line.key", tmp_path / "line.pub"


@pytest.fixture
def no_work(monkeypatch):
    def reached(*_: object) -> None:
        raise AssertionError("the key was looked at after the work had begun")

    monkeypatch.setattr("edgecl.exporting.job.job_of_run", reached)


def export(run, out, *options):
    return edgecl(["export", str(run), "--out", str(out), *map(str, options)])


def state(bundle, capfd, *options):
    capfd.readouterr()
    assert edgecl(["inspect", str(bundle), "--json", *map(str, options)]) == 0
    return json.loads(capfd.readouterr().out)["signature"]["state"]


def test_a_signed_export_is_verified_and_an_unsigned_one_is_not(trained_run, signed, capfd):
    out, _, public = signed
    assert state(out, capfd) == "unchecked"
    assert state(out, capfd, "--verify-key", public) == "verified"
    # The next export without a key does not leave the signature of the last one lying there.
    assert export(trained_run, out) == 0
    assert state(out, capfd) == "none"
    assert edgecl(["inspect", str(out), "--verify-key", str(public)]) == 2
    assert "is not signed" in capfd.readouterr().err


def test_another_key_and_another_bundle_do_not_verify(signed, make_bundle, tmp_path, capfd):
    one, _, public = signed
    other = make_bundle()
    shutil.copy(one / "signature.json", other / "signature.json")
    assert edgecl(["inspect", str(other), "--verify-key", str(public)]) == 2
    assert "was changed after signing" in capfd.readouterr().err
    assert edgecl(["keys", str(tmp_path / "stranger")]) == 0
    assert edgecl(["inspect", str(one), "--verify-key", str(tmp_path / "stranger.pub")]) == 2
    assert "a different key" in capfd.readouterr().err


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("what", ["gone", "empty", "text", "public", "folder", "huge"])
def test_a_key_that_cannot_sign_stops_before_the_work(trained_run, keys, tmp_path, capfd, what):
    path = tmp_path / "bad.key"
    if what == "empty":
        path.write_bytes(b"")
    elif what == "text":
        path.write_text("open sesame")
    elif what == "public":
        path = keys[1]
    elif what == "folder":
        path.mkdir()
    elif what == "huge":
        path.write_bytes(b"\0" * (1 << 20))
    capfd.readouterr()
    out = tmp_path / "b.edgecl"
    assert export(trained_run, out, "--sign", path) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert str(path) in line
    assert not out.exists()


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("password", ["", "wrong"])
def test_an_encrypted_key_wants_its_password(trained_run, tmp_path, capfd, monkeypatch, password):
    monkeypatch.setenv("EDGECL_KEY_PASSWORD", "right")
    assert edgecl(["keys", str(tmp_path / "line")]) == 0
    monkeypatch.setenv("EDGECL_KEY_PASSWORD", password)
    capfd.readouterr()
    assert export(trained_run, tmp_path / "b", "--sign", tmp_path / "line.key") == 2
    assert "EDGECL_KEY_PASSWORD" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        pytest.param(OSError(28, "No space left on device"), 3, marks=pytest.mark.slow),
    ],
)
def test_the_old_bundle_keeps_its_signature_where_signing_the_new_one_breaks_off(
    trained_run, signed, tmp_path, capfd, monkeypatch, error, code
):
    out, private, public = signed
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def broken(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(manifest, "write_signature", broken)
        assert export(trained_run, out, "--sign", private) == code
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert state(out, capfd, "--verify-key", public) == "verified"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.edgecl", "line.key", "line.pub"]
