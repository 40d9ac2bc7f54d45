"""`edgecl service`: units that systemd accepts, and what keeps one from being written."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgecl.cli.service.unit import MARK, ServiceUnit, escaped
from edgecl.cli.shell import run

LINE = """
[camera]
camera = 0
[model]
model = "line.edgecl"
device = "cpu"
[output]
sink = ["sqlite:/var/lib/edgecl/line.sqlite"]
"""


@pytest.fixture
def line(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edgecl.cli.service.command.RUNNING", tmp_path / "no-systemd")
    (tmp_path / "line.toml").write_text(LINE)
    return tmp_path / "line.toml"


def analysed(*arguments: object) -> None:
    """Ask systemd-analyze; skip where it is missing or too old."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze: apt install systemd")
    done = subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True)
    if "unrecognized option" in done.stderr:
        pytest.skip("needs systemd 250 or newer")
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--user", "root", "--allow", "/dev/ttyUSB0", "--allow", "char-gpiochip"],
        ["--writable", "/data", "--secret", "/etc/edgecl/mqtt pass", "--watchdog", "300"],
    ],
)
def test_systemd_accepts_the_unit(line, options):
    assert run(["service", "install", "--config", "line.toml", "--units", ".", *options]) == 0
    analysed("verify", line.parent / "edgecl.service")
    threshold = "--threshold=30" if "root" not in options else "--threshold=50"
    analysed("security", "--offline=true", threshold, "--no-pager", line.parent / "edgecl.service")


def test_what_a_unit_says(line, capsys):
    assert run(["service", "show", "--config", "line.toml", "--name", "line-3"]) == 0
    out, err = capsys.readouterr()
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(out)
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["ExecStart"] == f"{sys.executable} -m edgecl run --config {line}"
    assert service["RestartPreventExitStatus"] == "2"
    assert service["SuccessExitStatus"] == "130"
    assert service["WatchdogSec"] == "30"
    assert service["StateDirectory"] == "line-3"
    assert service["DynamicUser"] == "yes"
    assert service["DeviceAllow"] == "char-video4linux rw"
    assert "CapabilityBoundingSet=\n" in out
    assert "which the service cannot write; put it below /var/lib/line-3" in err


@pytest.mark.parametrize(
    ("camera", "device", "allowed"),
    [
        ('"demo"', "cpu", []),
        ('"rtsp://camera/1"', "cpu", []),
        ('"aravis:"', "cpu", ["char-usb_device"]),
        ('"demo"', "auto", ["char-nvidia*"]),
        ('"v4l2src device=/dev/video0 ! appsink"', "cpu", ["char-video4linux"]),
    ],
)
def test_devices_are_those_of_the_configuration(line, capsys, camera, device, allowed):
    line.write_text(f'[camera]\ncamera = {camera}\n[model]\ndevice = "{device}"\n')
    assert run(["service", "show", "--config", "line.toml"]) == 0
    out = capsys.readouterr().out
    assert ("PrivateDevices=yes" in out) == (not allowed)
    for kind in allowed:
        assert f"DeviceAllow={kind} rw" in out


def test_a_plc_on_port_502_and_outputs(line, capsys):
    sinks = '["modbus:127.0.0.1", "gpio:gpiod:/dev/gpiochip0?out=17"]'
    line.write_text(f'[camera]\ncamera = "demo"\n[output]\nsink = {sinks}\n')
    assert run(["service", "install", "--config", "line.toml", "--units", "."]) == 0
    text = Path("edgecl.service").read_text()
    assert "\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n" in text
    assert "DeviceAllow=char-gpiochip rw" in text
    analysed("verify", line.parent / "edgecl.service")
    line.write_text(line.read_text().replace("127.0.0.1", "127.0.0.1:5020"))
    assert run(["service", "show", "--config", "line.toml"]) == 0
    assert "CAP_NET_BIND_SERVICE" not in capsys.readouterr().out


def test_outputs_that_the_services_user_cannot_write_are_told(line, capsys):
    chip, lines = line.parent / "gpiochip0", line.parent / "lines"
    chip.touch()
    lines.mkdir()

    def noted(*options: str, sink: str = f"gpio:gpiod:{chip}?out=17") -> list[str]:
        line.write_text(f'[camera]\ncamera = "demo"\n[output]\nsink = ["{sink}"]\n')
        capsys.readouterr()
        assert run(["service", "show", "--config", "line.toml", *options]) == 0
        return [text for text in capsys.readouterr().err.splitlines() if "--sink gpio" in text]

    chip.chmod(0o600)
    (told,) = noted()
    assert f"drives {chip}, which the service's user cannot write: {chip} is " in told
    assert "mode 0600" in told
    assert len(noted("--user", "nobody")) == 1
    assert noted("--user", "root") == noted("--user", "not-made-yet") == []
    chip.chmod(0o666)
    assert noted() == noted("--user", "nobody") == []

    file = f"gpio:file:{lines}/a.txt?out=1"
    assert f"pass --writable {lines}" in noted(sink=file)[0]
    lines.chmod(0o755)
    assert "or pass --user" in noted("--writable", str(lines), sink=file)[0]
    lines.chmod(0o777)
    assert noted("--writable", str(lines), sink=file) == []
    assert noted(sink="gpio:file:lines.txt?out=1") == [], "in the stream's own folder"


def test_a_configuration_that_the_services_user_cannot_read_is_told(line, capsys):
    line.chmod(0o600)
    assert run(["service", "show", "--config", "line.toml"]) == 0
    assert f"cannot read {line}: chmod o+r" in capsys.readouterr().err
    assert run(["service", "show", "--config", "line.toml", "--user", "inspector"]) == 0
    assert "cannot read" not in capsys.readouterr().err


def test_what_checks_look_at_and_is_not_there_is_told(line, tmp_path, capsys):
    text = '\n[check]\ncheck-parts = "parts"\ncheck-reference = "reference.json"\n'
    line.write_text(line.read_text() + text)
    (tmp_path / "parts").mkdir()
    assert run(["service", "show", "--config", "line.toml"]) == 0
    told = [text for text in capsys.readouterr().err.splitlines() if "which checks look at" in text]
    assert len(told) == 1
    assert told[0].startswith("note: ")
    assert "reference.json, which checks look at, is not there" in told[0]


def test_a_login_that_only_root_reads_is_told(line, capsys):
    sink = "mqtt:mqtts://b/p?login-file=/etc/edgecl/mqtt"
    line.write_text(f'[camera]\ncamera = "demo"\n[output]\nsink = ["{sink}"]\n')
    assert run(["service", "show", "--config", "line.toml"]) == 0
    assert "name it /run/credentials/edgecl.service/mqtt" in capsys.readouterr().err
    assert run(["service", "show", "--config", "line.toml", "--secret", "/etc/edgecl/mqtt"]) == 0
    out, err = capsys.readouterr()
    assert "LoadCredential=mqtt:/etc/edgecl/mqtt" in out
    assert "credentials" not in err


@pytest.mark.parametrize(
    ("argument", "word"),
    [
        ("/usr/bin/python3", "/usr/bin/python3"),
        ("50%", "50%%"),
        ("my line.toml", '"my line.toml"'),
        ('a"b\\c', '"a\\"b\\\\c"'),
        ("$HOME", '"$$HOME"'),
        ("", '""'),
    ],
)
def test_words_that_systemd_would_read_otherwise(argument, word):
    assert escaped(argument) == word


def test_realtime_is_permitted_where_it_is_asked_for():
    assert "LimitRTPRIO=99" in ServiceUnit("a", ["x"], realtime=True).text()
    assert "RestrictRealtime=yes" in ServiceUnit("a", ["x"]).text()


def test_uninstall_removes_what_install_wrote(line, capsys):
    base = ["service", "install", "--config", "line.toml", "--units", "."]
    assert run(base) == 0
    assert run(base) == 0, "again, as after a new version"
    assert Path("edgecl.service").read_text().startswith(MARK)
    assert run(["service", "uninstall", "--units", "."]) == 0
    assert not Path("edgecl.service").exists()
    capsys.readouterr()
    assert run(["service", "uninstall", "--units", "."]) == 2
    assert "there is no edgecl.service" in capsys.readouterr().err


def refused(capsys, *arguments: str) -> str:
    assert run(["service", *arguments]) == 2
    (told,) = capsys.readouterr().err.splitlines()[-1:]
    return str(told)


def test_what_is_refused(line, capsys):
    assert "needs a configuration" in refused(capsys, "install")
    assert "line2.toml cannot be read" in refused(capsys, "show", "--config", "line2.toml")
    for name in ("Line", "a b", "../x", "", "-x", "x" * 40):
        told = refused(capsys, "show", "--config", "line.toml", "--name", name)
        assert "is not a name for a service" in told
    for device in ("ttyUSB0", "char-", "/etc/passwd"):
        told = refused(capsys, "show", "--config", "line.toml", "--allow", device)
        assert "is no device" in told
    line.write_text("[camera]\ncamera = 0\nfsp = 3\n")
    assert "line.toml:3: camera.fsp is not a key" in refused(capsys, "show", "--config", str(line))
    line.write_text("[model]\nmodel = 'x'\n")
    assert "--camera" in refused(capsys, "show", "--config", str(line))


def test_a_unit_of_somebody_else_stays(line, capsys):
    other = Path("edgecl.service")
    other.write_text("[Service]\nExecStart=/bin/true\n")
    install = ("install", "--config", "line.toml", "--units", ".")
    assert "was not written by 'edgecl service'" in refused(capsys, *install)
    assert "was not written by 'edgecl service'" in refused(capsys, "uninstall", "--units", ".")
    assert other.read_text() == "[Service]\nExecStart=/bin/true\n"


def test_a_systemctl_that_fails_is_told(line, capsys, monkeypatch):
    monkeypatch.setattr("edgecl.cli.service.command.RUNNING", line.parent)
    (line.parent / "bin").mkdir()
    fake = line.parent / "bin" / "systemctl"
    fake.write_text("#!/bin/sh\necho 'Failed: no bus' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=":")
    assert run(["service", "install", "--config", "line.toml", "--units", "."]) == 3
    assert "systemctl daemon-reload failed: Failed: no bus" in capsys.readouterr().err
