"""`edgecl pack` and its install script: whole, signed, and without a network."""

from __future__ import annotations

import functools
import platform
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from edgecl.cli.pack.install import PackError, check_machine
from edgecl.cli.pack.targets import target_of
from edgecl.cli.pack.wheels import missing_wheels
from edgecl.cli.shell import run
from runtime.errors import InputError
from tests.edgecl.cli.pack.wheels import make_wheel

OWN = f"x86-cp3{sys.version_info.minor}"
CUT_OFF = ("unshare", "--map-root-user", "--net")


@functools.cache
def can_cut_off() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*CUT_OFF, "true"], capture_output=True).returncode == 0


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch, make_bundle) -> Path:
    """A bundle, a configuration, a pair of keys, and all wheels."""
    pytest.importorskip("cryptography", reason="needs cryptography: pip install 'edgecl[sign]'")
    make_bundle(tmp_path / "tiny.edgecl")
    monkeypatch.chdir(tmp_path)
    Path("line.toml").write_text('[camera]\ncamera = "demo"\n[camera.set]\n')
    Path("line.toml").write_text('[camera]\ncamera = "demo"\n')
    make_wheel(
        Path("wheels"),
        "edgecl",
        "9.9",
        requires=[
            "tiny-dep>=1.0",
            "old-dep; python_version < '3.0'",
            "openvino>=2; extra == 'openvino'",
            "paho-mqtt>=2; extra == 'mqtt'",
        ],
        extras=["openvino", "mqtt"],
    )
    make_wheel(Path("wheels"), "tiny_dep", "1.2", requires=["deeper"])
    make_wheel(Path("wheels"), "deeper", "3.1")
    make_wheel(Path("wheels"), "openvino", "2025.1")
    assert run(["keys", "line"]) == 0
    return tmp_path


def pack(*more: str, out: str = "pack.tar", model: str | None = "tiny.edgecl") -> int:
    base = ["pack", "--target", OWN, "--config", "line.toml"]
    base += [] if model is None else ["--model", model]
    return run([*base, "--wheels", "wheels", "--no-index", "--out", out, *more])


def unpacked(name: str = "unpacked") -> Path:
    with tarfile.open("pack.tar") as archive:
        archive.extractall(name, filter="data")
    return Path(name) / "edgecl-pack"


def install(
    pack: Path, *options: str, before: tuple[str, ...] = (), flags: tuple[str, ...] = ()
) -> tuple[int, str]:
    done = subprocess.run(
        [*before, sys.executable, *flags, str(pack / "install.py"), *options],
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr + done.stdout


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the target is an x86 machine")
def test_a_signed_pack_installs_without_a_network(workplace, capsys):
    if not can_cut_off():
        pytest.skip("needs permission for network namespaces: unshare --map-root-user --net")
    assert pack("--sign", "line.key") == 0
    out = capsys.readouterr().out
    assert f"files for {OWN}, SHA256SUMS" in out
    folder, place = unpacked(), workplace / "opt"
    options = ("--verify-key", "line.pub", "--prefix", str(place))
    code, told = install(folder, *options, before=CUT_OFF)
    assert code == 0, told
    assert "SHA256SUMS is signed by the owner of line.pub" in told
    python = place / "venv" / "bin" / "python"
    asked = "import edgecl, tiny_dep, deeper; print(edgecl.VERSION, tiny_dep.VERSION)"
    done = subprocess.run([python, "-I", "-c", asked], capture_output=True, text=True)
    assert done.stdout == "9.9 1.2\n", done.stderr
    assert (place / "line.toml").read_bytes() == Path("line.toml").read_bytes()
    manifest = "tiny.edgecl/manifest.json"
    assert (place / manifest).read_bytes() == Path(manifest).read_bytes()
    unit = (place / "edgecl.service").read_text()
    assert f"--config {place}/line.toml --model {place}/tiny.edgecl" in unit
    assert f"ExecStart={place}/venv/bin/python" in unit

    make_wheel(Path("wheels"), "tiny_dep", "1.3", requires=["deeper"])
    (Path("wheels") / "tiny_dep-1.2-py3-none-any.whl").unlink()
    assert pack("--sign", "line.key") == 0
    code, told = install(unpacked("second"), *options, before=CUT_OFF)
    assert code == 0, told
    done = subprocess.run([python, "-I", "-c", asked], capture_output=True, text=True)
    assert done.stdout == "9.9 1.3\n", "a newer pack takes its place"
    assert len(list(place.glob("venv-*"))) == 1


def damage(pack: Path, kind: str) -> str:
    """Damage a pack; return what has to be said of it."""
    file = pack / "line" / "tiny.edgecl" / "manifest.json"
    sums = pack / "SHA256SUMS"
    if kind == "changed":
        file.write_bytes(file.read_bytes() + b" ")
        return "manifest.json is not what was packed"
    if kind == "missing":
        file.unlink()
        return "manifest.json is missing"
    if kind == "link":
        file.unlink()
        file.symlink_to("/etc/hostname")
        return "manifest.json is missing"
    if kind == "more":
        (pack / "wheels" / "evil-1.0-py3-none-any.whl").touch()
        return "evil-1.0-py3-none-any.whl is not of the pack"
    if kind == "outside":
        sums.write_text(sums.read_text() + f"{'0' * 64}  ../../etc/passwd\n")
        return "SHA256SUMS is damaged"
    if kind == "list":
        sums.write_bytes(b"\xff" * 100)
        return "is not the list of a pack"
    if kind == "hash":
        lines = sums.read_text().splitlines(keepends=True)
        sums.write_text("".join(line for line in lines if "install.py" not in line))
        return "install.py is not of the pack"
    sums.unlink()
    return "SHA256SUMS is missing"


KINDS = ("changed", "missing", "link", "more", "outside", "list", "hash", "no list")


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_pack_installs_nothing(workplace, kind):
    assert pack("--sign", "line.key") == 0
    folder = unpacked()
    expected = damage(folder, kind)
    code, told = install(folder, "--verify-key", "line.pub", "--prefix", "opt")
    assert code == 2
    assert expected in told
    assert len(told.splitlines()) == 1
    assert not Path("opt").exists()


@pytest.mark.parametrize("flags", [(), ("-S",)], ids=["cryptography", "openssl"])
def test_signatures(workplace, flags):
    if flags and shutil.which("openssl") is None:
        pytest.skip("needs openssl: apt install openssl")
    assert run(["keys", "other"]) == 0
    assert pack("--sign", "line.key") == 0
    folder = unpacked()
    assert install(folder, "--verify-key", "line.pub", "--check", flags=flags)[0] == 0
    code, told = install(folder, "--verify-key", "other.pub", "--check", flags=flags)
    assert (code, "is not a signature of this pack by that key" in told) == (2, True)
    (folder / "SHA256SUMS.sig").write_bytes(b"short")
    code, told = install(folder, "--verify-key", "line.pub", "--check", flags=flags)
    assert (code, "is not a signature of this pack by that key" in told) == (2, True)
    (folder / "SHA256SUMS.sig").unlink()
    code, told = install(folder, "--verify-key", "line.pub", "--check", flags=flags)
    assert (code, "the pack is not signed" in told) == (2, True)
    assert install(folder, "--unsigned", "--check", flags=flags)[0] == 0
    code, told = install(folder, "--check", flags=flags)
    assert (code, "or --unsigned to go without a signature" in told) == (2, True)
    code, told = install(folder, "--verify-key", "no.pub", "--check", flags=flags)
    assert (code, "no.pub cannot be read" in told) == (2, True)


def test_coreutils_and_openssl_check_a_pack_without_running_anything_of_it(workplace):
    if shutil.which("openssl") is None or shutil.which("sha256sum") is None:
        pytest.skip("needs openssl and coreutils")
    assert pack("--sign", "line.key") == 0
    folder = unpacked()
    sums = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    assert subprocess.run(sums, cwd=folder).returncode == 0
    verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "line.pub", "-rawin"]
    verify += ["-in", f"{folder}/SHA256SUMS", "-sigfile", f"{folder}/SHA256SUMS.sig"]
    assert subprocess.run(verify, capture_output=True).returncode == 0


def test_the_same_input_makes_the_same_bytes(workplace, capsys):
    assert pack("--sign", "line.key") == 0
    assert pack("--sign", "line.key", out="again.tar") == 0
    assert Path("pack.tar").read_bytes() == Path("again.tar").read_bytes()
    assert pack(out="unsigned.tar") == 0
    assert "note: the pack is not signed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ({"machine": "riscv64", "python": "3.11"}, "is for riscv64, not for"),
        ({"machine": platform.machine(), "python": "2.7"}, "run it with python2.7"),
    ],
)
def test_another_machine_is_told_before_anything_is_made(facts, problem):
    with pytest.raises(PackError, match=problem):
        check_machine(facts)


def test_files_that_the_configuration_names_travel_with_it(workplace):
    Path("flats").mkdir()
    Path("flats/left.npz").write_bytes(b"flat")
    sink = "mqtt:mqtt://broker/plant"
    Path("line.toml").write_text(
        f'[camera]\ncamera = "demo"\nflat = "flats/left.npz"\n[output]\nsink = ["{sink}"]\n'
    )
    make_wheel(Path("wheels"), "paho_mqtt", "2.1")
    assert pack() == 0
    folder = unpacked()
    assert (folder / "line" / "flats" / "left.npz").read_bytes() == b"flat"
    assert '"extras": "mqtt,openvino"' in (folder / "pack.json").read_text()


RECIPES = """
[camera]
camera = "demo"
[check]
check-parts = "samples/{recipe}"
check-reference = "good.json"
[recipes.7]
model = "tiny.edgecl"
[recipes.8]
model = "bundles/nut.edgecl"
unsure-below = 0.7
[output]
metrics = "127.0.0.1:9464"
serve = "127.0.0.1:8080"
serve-token = "token"
sink = ["opcua:"]
"""


@pytest.fixture
def recipes(workplace: Path, make_bundle) -> Path:
    """Two bundles, one of them in a folder, and what a check of both needs."""
    make_bundle(workplace / "bundles/nut.edgecl", labels=("black", "white"), pass_labels=["white"])
    for recipe in ("7", "8"):
        folder = Path("samples", recipe, "good")
        folder.mkdir(parents=True)
        (folder / "1.png").write_bytes(recipe.encode())
    Path("good.json").write_text("{}")
    Path("token").write_text("a secret of sixteen characters")
    Path("line.toml").write_text(RECIPES)
    shutil.rmtree("wheels")
    make_wheel(Path("wheels"), "edgecl", "9.9", extras=["openvino", "opcua", "metrics", "serve"])
    return workplace


def test_recipes_travel_with_their_bundles_and_what_their_checks_need(recipes, capsys):
    assert pack("--sign", "line.key", model=None) == 0
    assert "names token, which is a secret: it is not packed" in capsys.readouterr().err
    folder = unpacked()
    code, told = install(folder, "--verify-key", "line.pub", "--check")
    assert code == 0, told
    line = folder / "line"
    sums = (folder / "SHA256SUMS").read_text()
    for name in ("tiny.edgecl", "bundles/nut.edgecl"):
        for file in ("manifest.json", "model.fp32.onnx"):
            assert (line / name / file).read_bytes() == Path(name, file).read_bytes()
            assert f"  line/{name}/{file}\n" in sums
    assert (line / "samples/8/good/1.png").read_bytes() == b"8"
    assert (line / "good.json").is_file()
    assert not (line / "token").exists()
    unit = (folder / "unit/edgecl.service").read_text()
    assert "run --config /opt/edgecl/line.toml\n" in unit
    assert '"extras": "metrics,opcua,openvino,serve"' in (folder / "pack.json").read_text()
    (line / "token").touch()
    assert run(["run", "--config", str(line / "line.toml"), "--print-config"]) == 0
    assert f'model = "{line.absolute()}/bundles/nut.edgecl"' in capsys.readouterr().out


def test_a_recipe_that_the_box_would_not_find_or_not_take_is_refused(recipes, capsys):
    capsys.readouterr()
    Path("bundles/nut.edgecl/model.fp32.onnx").write_bytes(b"other")
    assert "model.fp32.onnx" in refused(capsys, model=None)
    shutil.copytree("tiny.edgecl", "../nut.edgecl")
    for path in ("../nut.edgecl", f"{recipes}/tiny.edgecl"):
        Path("line.toml").write_text(RECIPES.replace("bundles/nut.edgecl", path))
        told = refused(capsys, model=None)
        assert "which the box will not have there; put the bundle beside line.toml" in told
    Path("line.toml").write_text('[camera]\ncamera = "demo"\n')
    assert "add --model BUNDLE" in refused(capsys, model=None)


def refused(capsys, *more: str, model: str | None = "tiny.edgecl") -> str:
    assert pack(*more, model=model) == 2
    (told,) = capsys.readouterr().err.splitlines()[-1:]
    assert not Path("pack.tar").exists()
    return str(told)


def test_what_is_refused(workplace, capsys):
    capsys.readouterr()
    for target in ("jetson", "x86", "x86-cp27", "x86-cp39", "", "arm"):
        assert "is no target of a pack" in refused(capsys, "--target", target)
    assert "cannot be read" in refused(capsys, "--config", "other.toml")
    assert "other.key cannot be read" in refused(capsys, "--sign", "other.key")
    assert "is a public key and cannot sign" in refused(capsys, "--sign", "line.pub")
    assert "is no folder on the box" in refused(capsys, "--prefix", "opt/edgecl")
    assert "is no folder on the box" in refused(capsys, "--prefix", "/")
    assert "is not a folder" in refused(capsys, "--wheels", "nowhere")
    assert "is not a name for a service" in refused(capsys, "--name", "../x")
    recipe = '[camera]\ncamera = "demo"\n[recipes.7]\nmodel = '
    Path("two.toml").write_text(f'{recipe}"tiny.edgecl"\n')
    assert "--model stands beside the recipes" in refused(capsys, "--config", "two.toml")
    told = refused(capsys, "--extra", "genicam", "--extra", "mqtt")
    assert f"no wheel for {OWN} of paho-mqtt>=2" in told
    Path("tiny.edgecl/model.fp32.onnx").write_bytes(b"other")
    assert "model.fp32.onnx" in refused(capsys)


def test_wheels_that_do_not_fit(workplace, capsys):
    capsys.readouterr()
    wrong = make_wheel(Path("wheels"), "numpy", tag="cp311-cp311-win_amd64")
    assert f"{wrong} does not run on {OWN}" in refused(capsys)
    wrong.unlink()
    wrong = make_wheel(Path("wheels"), "numpy", tag="cp39-cp39-manylinux2014_aarch64")
    assert f"{wrong} does not run on {OWN}" in refused(capsys)
    wrong.unlink()
    torn = Path("wheels/torn-1.0-py3-none-any.whl")
    torn.write_bytes(b"PK\x03\x04")
    assert f"{torn.name} is no wheel" in refused(capsys)
    torn.rename("wheels/strange.whl")
    assert "is not named as a wheel" in refused(capsys)
    Path("wheels/strange.whl").unlink()
    Path("wheels/deeper-3.1-py3-none-any.whl").unlink()
    assert "of deeper; put it into --wheels FOLDER" in refused(capsys)


def test_markers_are_those_of_the_target_not_of_this_machine(tmp_path):
    requires = [
        "tomli; python_version < '3.11'",
        "on-arm; platform_machine == 'aarch64'",
        "on-windows; sys_platform == 'win32'",
    ]
    make_wheel(tmp_path, "edgecl", requires=requires)
    for name, expected in (
        ("jetson-jp6", {"tomli", "on-arm"}),
        ("x86-cp310", {"tomli"}),
        ("x86-cp312", set()),
    ):
        missing = missing_wheels(tmp_path, target_of(name), [])
        assert {requirement.name for requirement in missing} == expected


def test_targets():
    jetson = target_of("jetson-jp6")
    assert (jetson.abi, jetson.system_packages) == ("cp310", True)
    assert "manylinux_2_35_aarch64" in jetson.platforms
    assert "manylinux_2_38_aarch64" not in jetson.platforms
    assert target_of("x86-cp312").python == "3.12"
    with pytest.raises(InputError):
        target_of("x86-cp3110")
